//! One writer an application: a Lease (coordination.k8s.io/v1) `driftdeck-<application>` in the state namespace.

use super::{ClusterError, Session};
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};

/// How long things take; tests shorten them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTiming {
    /// Life of the Lease without renewal, and stillness that must be observed before a takeover.
    pub life: Duration,
    /// Time between renewals.
    pub renew: Duration,
    /// Wait between a takeover and the first write.
    pub settle: Duration,
    /// Age plus deadline of a write must stay below this.
    pub margin: Duration,
}

impl Default for LeaseTiming {
    fn default() -> Self {
        Self {
            life: Duration::from_secs(15),
            renew: Duration::from_secs(5),
            settle: Duration::from_secs(5),
            margin: Duration::from_secs(14),
        }
    }
}

/// Why there is no Lease.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// No rights on Leases: who else writes is unknown.
    #[error("{0}")]
    Forbidden(String),
    /// Somebody else is syncing: wait for them.
    #[error("{holder} is syncing this application")]
    Held {
        /// The other holder.
        holder: String,
        /// Their last renewal.
        renewed: Option<Timestamp>,
    },
    /// It was held and is not any more, or could not be renewed in time: stop writing.
    #[error("the Lease was lost: {0}")]
    Lost(String),
    /// The cluster does not answer as it should.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// A Lease as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseState {
    /// Holder; none: free.
    pub holder: Option<String>,
    /// Last renewal, by the holder's clock.
    pub renewed: Option<Timestamp>,
}

/// Reads an application's Lease; none: there is none.
///
/// # Errors
/// [`LeaseError::Forbidden`]: the holder is unknown.
pub async fn peek(_session: &Session, _namespace: &str, _application: &str) -> Result<Option<LeaseState>, LeaseError> {
    todo!()
}

/// A Lease that is held and renewed in the background until it is released or dropped.
#[derive(Debug)]
pub struct Lease {
    #[allow(dead_code)]
    inner: Arc<()>,
}

impl Lease {
    /// Takes an application's Lease as `who` (`user@host`), to which a random part is added. Waits out a silent holder (20 s by default).
    ///
    /// # Errors
    /// [`LeaseError::Held`] as soon as the other holder renews.
    pub async fn acquire(
        _session: &Session,
        _namespace: &str,
        _application: &str,
        _who: &str,
        _timing: LeaseTiming,
    ) -> Result<Self, LeaseError> {
        todo!()
    }
    /// The holder as written: `user@host#<random>`.
    pub fn holder(&self) -> &str {
        todo!()
    }
    /// Time since the last renewal was sent, by whichever of the monotonic clock and the wall clock says more: the former stands
    /// still while a machine sleeps.
    pub fn age(&self) -> Duration {
        todo!()
    }
    /// When it was last renewed, for the record.
    pub fn renewed(&self) -> Timestamp {
        todo!()
    }
    /// Says whether a write that ends within `deadline` may be sent now.
    ///
    /// # Errors
    /// [`LeaseError::Lost`].
    pub fn check(&self, _deadline: Duration) -> Result<(), LeaseError> {
        todo!()
    }
    /// Frees it.
    ///
    /// # Errors
    /// [`LeaseError::Cluster`]: it will run out by itself.
    pub async fn release(self) -> Result<(), LeaseError> {
        todo!()
    }
}
