//! Rules as the recorded cases and the live server showed them; the differential proof is in `tests/server_defaults.rs`.
