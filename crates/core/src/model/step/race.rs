//! Which of two ways to do the same is faster, beside whatever else a device has to do.

use futures_util::future::LocalBoxFuture;

/// Something that is done so many times. Boxed, as the function that measures is the same for all.
pub type Runs<'a> = dyn Fn(usize) -> LocalBoxFuture<'a, ()> + 'a;

/// A measurement is long enough to tell both apart when the faster one takes so many milliseconds, or so many runs.
const LONG_ENOUGH_MS: f64 = 8.0;
const MOST_RUNS: usize = 64;
/// Both are measured so often, in turns, and the least counts: the page draws on the same device meanwhile. A device on which this
/// takes longer than so many milliseconds is too slow to be measured more than once.
const TURNS: usize = 3;
const MOST_MS: f64 = 300.0;

/// Milliseconds that each of two takes for one run, infinity where there is no first one. Each is given a number of runs to make;
/// `now_ms` is a clock.
pub async fn least_ms(
    now_ms: &dyn Fn() -> f64,
    first: Option<&Runs<'_>>,
    second: &Runs<'_>,
) -> [f64; 2] {
    let begun_ms = now_ms();
    let mut least_ms = [f64::INFINITY; 2];
    let (mut runs, mut turns) = (1, 0);
    while turns == 0 || (turns < TURNS && now_ms() - begun_ms < MOST_MS) {
        let mut of_both = [f64::INFINITY; 2];
        if let Some(first) = first {
            let start_ms = now_ms();
            first(runs).await;
            of_both[0] = now_ms() - start_ms;
        }
        let start_ms = now_ms();
        second(runs).await;
        of_both[1] = now_ms() - start_ms;
        if of_both[0].min(of_both[1]) < LONG_ENOUGH_MS && runs < MOST_RUNS {
            runs *= 4;
            continue;
        }
        for (least, ms) in least_ms.iter_mut().zip(of_both) {
            *least = least.min(ms / runs as f64);
        }
        turns += 1;
    }
    least_ms
}

#[cfg(test)]
mod tests {
    use super::{Runs, least_ms};
    use futures_util::FutureExt;
    use std::cell::Cell;
    use std::future::ready;

    /// What is measured of two that take so many milliseconds, on a device that has something else to do for 40 ms while the first
    /// makes these of its runs.
    fn measured(first_ms: Option<f64>, second_ms: f64, interrupted: [usize; 2]) -> [f64; 2] {
        let (clock, made) = (Cell::new(0.0), Cell::new(0));
        let pass = |ms: f64| clock.set(clock.get() + ms);
        let first = |runs: usize| {
            for _ in 0..runs {
                made.set(made.get() + 1);
                pass(first_ms.unwrap_or_default());
                if interrupted.contains(&made.get()) {
                    pass(40.0);
                }
            }
            ready(()).boxed_local()
        };
        let second = |runs: usize| {
            pass(runs as f64 * second_ms);
            ready(()).boxed_local()
        };
        let first = first_ms.map(|_| &first as &Runs<'_>);
        pollster::block_on(least_ms(&|| clock.get(), first, &second))
    }

    fn is_near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6 * b
    }

    #[test]
    fn both_are_measured_on_fast_devices_and_on_slow_ones() {
        for ms in [0.01, 0.3, 2.0, 500.0] {
            let [first, second] = measured(Some(ms), 1.5 * ms, [0; 2]);
            assert!(
                is_near(first, ms) && is_near(second, 1.5 * ms),
                "{ms}: {first}, {second}"
            );
        }
        assert_eq!(measured(None, 2.0, [0; 2]), [f64::INFINITY, 2.0]);
    }

    #[test]
    fn what_else_a_device_does_meanwhile_decides_nothing() {
        for interrupted in [[1, 2], [2, 7], [30, 80], [60, 100]] {
            let [first, second] = measured(Some(0.2), 0.3, interrupted);
            assert!(
                is_near(first, 0.2) && is_near(second, 0.3),
                "{interrupted:?}: {first}, {second}"
            );
        }
    }
}
