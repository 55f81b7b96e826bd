//! Kubernetes quantities (`100m`, `1.5Gi`, `2e3`) as the API server parses and writes them.
//!
//! The source is `k8s.io/apimachinery/pkg/api/resource`, quirks included: the server stores what that package writes, so
//! anything cleverer would predict another value. The quirks: text that is canonical at a glance is kept as it stands
//! (`+1Ki`, `1.500`), amounts are rounded away from zero to the nano, binary ones are capped at the largest int64, and a
//! decimal exponent without a suffix (`1000E` is 10^21) loses it.

use std::fmt;

/// A parsed quantity. [`fmt::Display`] writes the canonical form, which is what the API server stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantity {
    amount: Decimal,
    format: Format,
    /// The text as it was written, where apimachinery keeps it.
    kept: Option<String>,
}

/// Why a text is no quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not a number followed by a suffix.
    #[error("a quantity is a number with a suffix, like 100m, 0.5, 2Gi or 1e3")]
    Format,
    /// The part before the suffix has no digit.
    #[error("a quantity starts with a number, like 100m, 0.5, 2Gi or 1e3")]
    Number,
    /// The suffix is none of n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei, or an exponent.
    #[error("a quantity's suffix is one of n u m k M G T P E, Ki Mi Gi Ti Pi Ei, or an exponent like e3")]
    Suffix,
    /// The exponent is beyond what can be computed with.
    #[error("the quantity's exponent is too large")]
    Range,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    DecimalExponent,
    BinarySi,
    DecimalSi,
}

const NANO: i32 = -9;
const MILLI: i32 = -3;
/// apimachinery's `maxInt64Factors`: so many decimal digits always fit an int64.
const INT64_DIGITS: i32 = 18;
/// The longest number that is computed with, and the largest exponent of one that is not kept as it stands. An API
/// server would not hold such an object either.
const LIMIT: i32 = 4096;

impl Quantity {
    /// Parses a quantity, white space around it allowed, as the server reads the string of a JSON document.
    ///
    /// # Errors
    /// Says which part is not as a quantity's must be.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(QuantityError::Format);
        }
        let parts = Parts::split(text)?;
        let (base, exponent, mut format) = interpret(parts.suffix).ok_or(QuantityError::Suffix)?;
        if let Some(fast) = fast(text, &parts, base, exponent, format) {
            return Ok(fast);
        }
        if parts.digits_written == 0 {
            return Err(QuantityError::Number);
        }
        if parts.digits_written > LIMIT as usize || exponent.unsigned_abs() > LIMIT as u32 {
            return Err(QuantityError::Range);
        }
        let mut amount = Decimal::new(parts.number, parts.fraction, parts.negative);
        match base {
            2 => amount.multiply(1 << exponent),
            _ => amount.exponent += exponent,
        }
        if !amount.is_zero() {
            amount.round_away(NANO);
        }
        if format == Format::BinarySi {
            amount.cap();
            // As in apimachinery, which looks at the absolute value here.
            if amount.magnitude_is_below_one() && !amount.is_zero() {
                format = Format::DecimalSi;
            }
        }
        Ok(Self { amount, format, kept: None })
    }

    /// The quantity rounded away from zero to thousandths, as the server does for the amounts of requests, limits,
    /// capacities and quotas.
    #[must_use]
    pub fn rounded_to_milli(mut self) -> Self {
        if self.amount.exponent < MILLI && !self.amount.is_zero() {
            self.amount.round_away(MILLI);
            self.kept = None;
        }
        self
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(kept) = &self.kept {
            return f.write_str(kept);
        }
        if self.amount.is_zero() {
            return f.write_str("0");
        }
        if self.format == Format::BinarySi && !self.amount.magnitude_is_below_1024() && self.amount.is_integer() {
            let (digits, times) = self.amount.without_factors_of_1024();
            let suffix = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].get(times).copied().unwrap_or_default();
            return write!(f, "{}{digits}{suffix}", self.amount.sign());
        }
        let (digits, exponent) = self.amount.in_thousands();
        write!(f, "{}{digits}", self.amount.sign())?;
        match (self.format, exponent) {
            (_, 0) => Ok(()),
            (Format::DecimalExponent, exponent) => write!(f, "e{exponent}"),
            (_, exponent) => f.write_str(decimal_suffix(exponent)),
        }
    }
}

/// A quantity's text in its parts.
struct Parts<'a> {
    negative: bool,
    /// Digits before the point without leading zeros; "0" where there are none.
    number: &'a str,
    /// Digits after the point.
    fraction: &'a str,
    suffix: &'a str,
    /// How many digits are there, leading zeros included.
    digits_written: usize,
}

impl<'a> Parts<'a> {
    fn split(text: &'a str) -> Result<Self, QuantityError> {
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let stripped = unsigned.trim_start_matches('0');
        if stripped.is_empty() {
            // "-" and "+" alone too: they are zero to apimachinery.
            return Ok(Self { negative: false, number: "0", fraction: "", suffix: "", digits_written: 1 });
        }
        let (number, rest) = split_digits(stripped);
        let (fraction, suffix) = match rest.strip_prefix('.') {
            Some(rest) => split_digits(rest),
            None => ("", rest),
        };
        let exponent = suffix.trim_start_matches(|c: char| "eEinumkKMGTP".contains(c));
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        if !exponent.bytes().all(|b| b.is_ascii_digit()) {
            return Err(QuantityError::Format);
        }
        let digits_written = (unsigned.len() - stripped.len()) + number.len() + fraction.len();
        let number = if number.is_empty() { "0" } else { number };
        Ok(Self { negative, number, fraction, suffix, digits_written })
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// What a suffix stands for: base, exponent and format.
fn interpret(suffix: &str) -> Option<(u8, i32, Format)> {
    let decimal = |exponent| Some((10, exponent, Format::DecimalSi));
    let binary = |exponent| Some((2, exponent, Format::BinarySi));
    match suffix {
        "" => decimal(0),
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let digits = suffix.strip_prefix(['e', 'E'])?;
            let exponent: i64 = digits.parse().ok()?;
            // Go's int32(parsed) drops the upper half.
            Some((10, exponent as i32, Format::DecimalExponent))
        }
    }
}

fn decimal_suffix(exponent: i32) -> &'static str {
    match exponent {
        -9 => "n",
        -6 => "u",
        -3 => "m",
        3 => "k",
        6 => "M",
        9 => "G",
        12 => "T",
        15 => "P",
        18 => "E",
        _ => "",
    }
}

/// The quantities that apimachinery holds in an int64, and whose text it keeps where that looks canonical.
fn fast(text: &str, parts: &Parts<'_>, base: u8, exponent: i32, format: Format) -> Option<Quantity> {
    let digits = (parts.number.len() + parts.fraction.len()) as i32;
    let (precision, scale, mantissa) = match base {
        2 if parts.fraction.is_empty() => (15 - digits - exponent * 3 / 10 - 1, 0, 1_i64 << exponent),
        2 => return None,
        _ => (INT64_DIGITS - digits, exponent, 1),
    };
    let scale = scale.wrapping_sub(parts.fraction.len() as i32);
    if precision < 0 || scale < NANO {
        return None;
    }
    let shifted = format!("{}{}", parts.number, parts.fraction);
    let value: i64 = shifted.parse().ok()?;
    let product = value.checked_mul(mantissa)?;
    let looks_canonical = match base {
        2 => value & 7 != 0,
        _ => scale % 3 == 0 && !shifted.ends_with("000") && !shifted.starts_with('0'),
    };
    let mut amount = Decimal::new(&product.to_string(), "", parts.negative);
    amount.exponent = scale;
    Some(Quantity { amount, format, kept: looks_canonical.then(|| text.to_owned()) })
}

/// A decimal number of any length: `digits` (most significant first, no leading zero) times 10^`exponent`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i32,
}

impl Decimal {
    fn new(number: &str, fraction: &str, negative: bool) -> Self {
        let digits = number.bytes().chain(fraction.bytes()).map(|b| b - b'0').collect();
        let mut amount = Self { negative, digits, exponent: -(fraction.len() as i32) };
        amount.strip_leading_zeros();
        amount
    }

    fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    fn sign(&self) -> &'static str {
        if self.negative { "-" } else { "" }
    }

    fn strip_leading_zeros(&mut self) {
        let zeros = self.digits.iter().take_while(|digit| **digit == 0).count();
        self.digits.drain(..zeros);
    }

    fn multiply(&mut self, factor: u64) {
        let mut carry = 0_u128;
        for digit in self.digits.iter_mut().rev() {
            carry += u128::from(*digit) * u128::from(factor);
            *digit = (carry % 10) as u8;
            carry /= 10;
        }
        while carry > 0 {
            self.digits.insert(0, (carry % 10) as u8);
            carry /= 10;
        }
    }

    /// Rounds away from zero to a multiple of 10^`exponent`, which is at most 0.
    fn round_away(&mut self, exponent: i32) {
        if self.exponent >= exponent {
            return;
        }
        let dropped = exponent.abs_diff(self.exponent) as usize;
        let kept = self.digits.len().saturating_sub(dropped);
        let inexact = self.digits[kept..].iter().any(|digit| *digit != 0);
        self.digits.truncate(kept);
        self.exponent = exponent;
        if inexact {
            self.increment();
        }
    }

    fn increment(&mut self) {
        for digit in self.digits.iter_mut().rev() {
            if *digit < 9 {
                *digit += 1;
                return;
            }
            *digit = 0;
        }
        self.digits.insert(0, 1);
    }

    /// The digits before the point and whether there is anything but zeros after it.
    fn integer(&self) -> (Vec<u8>, bool) {
        if self.exponent >= 0 {
            let zeros = std::iter::repeat_n(0, self.exponent as usize);
            return (self.digits.iter().copied().chain(zeros).collect(), false);
        }
        let kept = self.digits.len().saturating_sub(self.exponent.unsigned_abs() as usize);
        (self.digits[..kept].to_vec(), self.digits[kept..].iter().any(|digit| *digit != 0))
    }

    fn is_integer(&self) -> bool {
        !self.integer().1
    }

    fn magnitude_is_below_one(&self) -> bool {
        self.integer().0.is_empty()
    }

    fn magnitude_is_below_1024(&self) -> bool {
        let (digits, _) = self.integer();
        digits.len() < 4 || (digits.len() == 4 && digits.as_slice() < [1, 0, 2, 4].as_slice())
    }

    /// apimachinery's cap for binary quantities: the largest int64.
    fn cap(&mut self) {
        let largest: Vec<u8> = i64::MAX.to_string().bytes().map(|b| b - b'0').collect();
        let (digits, fraction) = self.integer();
        let longer = digits.len() > largest.len();
        if longer || (digits.len() == largest.len() && (digits > largest || (digits == largest && fraction))) {
            self.digits = largest;
            self.exponent = 0;
        }
    }

    /// The digits of an integer after taking out every factor of 1024, and how many there were.
    fn without_factors_of_1024(&self) -> (String, usize) {
        let (mut digits, _) = self.integer();
        let mut times = 0;
        loop {
            let mut rest = 0_u32;
            let quotient: Vec<u8> = digits
                .iter()
                .map(|digit| {
                    rest = rest * 10 + u32::from(*digit);
                    let digit = (rest / 1024) as u8;
                    rest %= 1024;
                    digit
                })
                .skip_while(|digit| *digit == 0)
                .collect();
            if rest != 0 || quotient.is_empty() {
                return (text(&digits), times);
            }
            digits = quotient;
            times += 1;
        }
    }

    /// The digits with an exponent that is a multiple of three.
    fn in_thousands(&self) -> (String, i32) {
        let mut digits = self.digits.clone();
        let mut exponent = self.exponent;
        while digits.last() == Some(&0) {
            digits.pop();
            exponent = exponent.wrapping_add(1);
        }
        while exponent % 3 != 0 {
            digits.push(0);
            exponent = exponent.wrapping_sub(1);
        }
        (text(&digits), exponent)
    }
}

fn text(digits: &[u8]) -> String {
    digits.iter().map(|digit| char::from(b'0' + digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Quantity, QuantityError};

    /// Written by `k8s.io/apimachinery` v0.36.3: text, what `String` gives, and what it gives after `RoundUp(Milli)`
    /// where that differs.
    const TABLE: &str = include_str!("quantity_table.tsv");

    #[test]
    fn every_quantity_is_written_as_apimachinery_writes_it() {
        let mut wrong = Vec::new();
        for line in TABLE.lines() {
            let mut cells = line.split('\t');
            let (text, expected) = (cells.next().unwrap(), cells.next().unwrap());
            let expected_milli = cells.next().unwrap_or(expected);
            let (found, milli) = match Quantity::parse(text) {
                Ok(quantity) => (quantity.to_string(), quantity.rounded_to_milli().to_string()),
                Err(QuantityError::Format) => ("!format".to_owned(), "!format".to_owned()),
                Err(QuantityError::Number) => ("!number".to_owned(), "!number".to_owned()),
                Err(QuantityError::Suffix) => ("!suffix".to_owned(), "!suffix".to_owned()),
                Err(QuantityError::Range) => ("!range".to_owned(), "!range".to_owned()),
            };
            if found != expected || milli != expected_milli {
                wrong.push(format!("{line}: {found} {milli}"));
            }
        }
        assert!(TABLE.lines().count() > 800);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn an_exponent_that_no_machine_can_compute_with_is_refused() {
        for text in ["1.5e2000000000", "123456789012345678901e2000000000", "1e-2000000000"] {
            let parsed = Quantity::parse(text);
            assert!(matches!(parsed, Err(QuantityError::Range)) || parsed.unwrap().to_string().len() < 40, "{text}");
        }
        assert_eq!(Quantity::parse(&"9".repeat(100_000)), Err(QuantityError::Range));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,24}", number in "[-+]?[0-9.]{0,30}([eE][-+]?[0-9]{0,11}|[numkMGTPE]?i?)") {
            for text in [text, number] {
                if let Ok(quantity) = Quantity::parse(&text) {
                    let _ = (quantity.to_string(), quantity.rounded_to_milli().to_string());
                }
            }
        }
    }
}
