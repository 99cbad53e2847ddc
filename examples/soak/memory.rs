//! What a process takes up, measured from outside.

use std::fmt;

/// The resident set of a process over time, in kB.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    samples: Vec<u64>,
}

/// The first part of a run, in which caches and connections fill up.
const WARM_UP: f64 = 0.1;
/// How much more than its first quarter's median the last quarter's may be: neither more than this share,
const GROWTH: f64 = 0.1;
/// nor more than this many kB.
const GROWTH_KB: u64 = 10 * 1024;

impl Memory {
    /// Takes a sample; none where the system doesn't tell.
    pub(crate) fn sample(&mut self, process: u32) {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB"));
        self.samples.extend(resident.and_then(|kb| kb.trim().parse::<u64>().ok()));
    }

    pub(crate) fn last(&self) -> u64 {
        self.samples.last().copied().unwrap_or(0)
    }

    /// The medians of the first and the last quarter after the warm-up.
    pub(crate) fn quarters(&self) -> (u64, u64) {
        let warm = &self.samples[(self.samples.len() as f64 * WARM_UP).ceil() as usize..];
        let quarter = warm.len() / 4;
        (median(&warm[..quarter]), median(&warm[warm.len() - quarter..]))
    }

    pub(crate) fn is_flat(&self) -> bool {
        let (first, last) = self.quarters();
        last as f64 <= first as f64 * (1.0 + GROWTH) && last <= first + GROWTH_KB
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = |kb: u64| kb as f64 / 1024.0;
        let (first, last) = self.quarters();
        write!(
            f,
            "first quarter {:.1} MB, last quarter {:.1} MB (medians after the warm-up), {} samples, at most {:.1} MB",
            megabytes(first),
            megabytes(last),
            self.samples.len(),
            megabytes(self.samples.iter().copied().max().unwrap_or(0))
        )
    }
}

fn median(samples: &[u64]) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_shows_and_a_warm_up_does_not() {
        let memory = |samples: Vec<u64>| Memory { samples };
        assert!(memory((0..100).map(|n| if n < 10 { 1_000 } else { 30_000 }).collect()).is_flat());
        assert!(!memory((0..100).map(|n| 30_000 + n * 100).collect()).is_flat());
        assert!(!memory((0..100).map(|n| 900_000 + n * 200).collect()).is_flat());
    }
}
