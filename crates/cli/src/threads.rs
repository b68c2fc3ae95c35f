//! How many cores the processor's work is shared out to.

use anyhow::Context;
use std::env;

/// What a Slurm job was given.
const SLURM: &str = "SLURM_CPUS_PER_TASK";
/// What rayon itself reads.
const RAYON: &str = "RAYON_NUM_THREADS";

/// Has the work shared out to so many cores: as many as were asked for, as a Slurm job was given, or as the process may use by
/// its affinity and its control group. The thread that calls computes with the others: what it has just written lies in its core's
/// cache, and nobody is woken for what is small.
///
/// # Errors
/// A number of Slurm's that is none, or work that has begun.
pub fn share_out(wanted: Option<usize>) -> anyhow::Result<()> {
    let slurm = env::var(SLURM).ok();
    let threads = number(wanted, env::var_os(RAYON).is_some(), slurm.as_deref())?;
    let pool = rayon::ThreadPoolBuilder::new()
        // None said are as many as rayon finds.
        .num_threads(threads.unwrap_or(0))
        .use_current_thread();
    pool.build_global().context("sharing the work out")
}

fn number(
    wanted: Option<usize>,
    is_rayon_told: bool,
    slurm: Option<&str>,
) -> anyhow::Result<Option<usize>> {
    Ok(match (wanted, slurm) {
        (Some(threads), _) => Some(threads),
        (None, Some(text)) if !is_rayon_told => {
            let threads = text.parse().ok().filter(|threads| *threads > 0);
            let expected = || format!("{SLURM} is {text:?}: a number of cores is expected");
            Some(threads.with_context(expected)?)
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_is_heard_before_rayon_and_rayon_before_slurm() {
        let of = |wanted, is_rayon_told, slurm| number(wanted, is_rayon_told, slurm).unwrap();
        assert_eq!(of(Some(3), true, Some("8")), Some(3));
        assert_eq!(of(None, false, Some("8")), Some(8));
        assert_eq!(of(None, true, Some("8")), None);
        assert_eq!(of(None, false, None), None);
        for wrong in ["0", "many", ""] {
            assert!(number(None, false, Some(wrong)).is_err(), "{wrong}");
        }
    }
}
