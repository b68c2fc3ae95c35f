//! Where the time goes on a graphics processor: its kernels by name, as tests/onnx/gpu_clock.js has timed them.

use anyhow::{Context, Result};
use serde_json::Value;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// So many are told one by one.
const MOST: usize = 12;

/// All runs of a kernel in one window.
struct Kernel {
    name: String,
    count: u64,
    ms: f64,
}

/// A table of those in a file, the longest first.
///
/// # Errors
/// When the file is not there or another than expected.
pub fn table(path: &Path) -> Result<String> {
    let file = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let kernels: Vec<Value> = serde_json::from_slice(&file)?;
    let kernel = |kernel: &Value| {
        Some(Kernel {
            name: kernel["name"].as_str()?.to_owned(),
            count: kernel["count"].as_u64()?,
            ms: kernel["ms"].as_f64()?,
        })
    };
    let kernels: Option<Vec<Kernel>> = kernels.iter().map(kernel).collect();
    let kernels = kernels.context("a kernel has a name, a count and a time")?;
    Ok(table_of(kernels))
}

fn table_of(mut kernels: Vec<Kernel>) -> String {
    if kernels.is_empty() {
        return "The adapter has no time stamps.\n".to_owned();
    }
    kernels.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    let mut text = "| kernel | times | ms |\n|---|---|---|\n".to_owned();
    let mut line = |name: &str, count: u64, ms: f64| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {name} | {count} | {ms:.1} |");
    };
    let all = |kernels: &[Kernel]| {
        let count: u64 = kernels.iter().map(|kernel| kernel.count).sum();
        (count, kernels.iter().map(|kernel| kernel.ms).sum::<f64>())
    };
    let (told, rest) = kernels.split_at(kernels.len().min(MOST));
    for kernel in told {
        line(&kernel.name, kernel.count, kernel.ms);
    }
    if !rest.is_empty() {
        let (count, ms) = all(rest);
        line(&format!("{} others", rest.len()), count, ms);
    }
    let (count, ms) = all(&kernels);
    line("all", count, ms);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_come_first_and_all_are_counted() {
        let kernel = |i: u32| Kernel {
            name: format!("k{i}"),
            count: i.into(),
            ms: i.into(),
        };
        let text = table_of((1..=14).map(kernel).collect());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[2], "| k14 | 14 | 14.0 |");
        assert_eq!(
            lines[14..],
            ["| 2 others | 3 | 3.0 |", "| all | 105 | 105.0 |"]
        );
        assert!(table_of(Vec::new()).contains("no time stamps"));
    }
}
