//! Which core a worker runs on.

/// The core of worker `index` of `workers`: as configured, or the last ones this process may use,
/// so that the first is left to everything else. `None` if the system does not tell.
pub(super) fn core(cores: Option<&[u16]>, index: usize, workers: usize) -> Option<usize> {
    if let Some(cores) = cores {
        return cores.get(index).map(|core| usize::from(*core));
    }
    let available = dpdk::affinity::current().ok()?;
    from_last(&available, index, workers)
}

fn from_last(available: &[usize], index: usize, workers: usize) -> Option<usize> {
    let first = available.len().saturating_sub(workers);
    let at = (first + index).checked_rem(available.len())?;
    available.get(at).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_take_the_last_cores() {
        assert_eq!(from_last(&[0, 1, 2, 3], 0, 1), Some(3));
        assert_eq!(from_last(&[0, 1, 2, 3], 0, 2), Some(2));
        assert_eq!(from_last(&[0, 1, 2, 3], 1, 2), Some(3));
    }

    #[test]
    fn more_workers_than_cores_share_them() {
        assert_eq!(from_last(&[4], 2, 3), Some(4));
        assert_eq!(from_last(&[], 0, 1), None);
    }
}
