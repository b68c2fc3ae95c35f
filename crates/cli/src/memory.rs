//! How much memory this process may come to hold, and a sentence for a scan that would need more.

use anyhow::ensure;
use std::path::{Path, PathBuf};

/// What limits a process's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Room {
    bytes: u64,
    /// In words.
    limit: &'static str,
}

/// What this program takes beside what is computed and what any of our programs is: stacks of its threads and their own pieces of
/// work. Measured on two cores.
pub fn of_program() -> u64 {
    let threads = rayon::current_num_threads() as u64;
    (4 << 20) + threads * (4 << 20)
}

/// Refuses what would not fit into memory, before it begins; where nothing says how much there is, all is tried.
///
/// # Errors
/// Both figures, and what can be done.
pub fn expect_room(needed_bytes: u64, scan: &str) -> anyhow::Result<()> {
    let Some(room) = Room::below(Path::new("/")) else {
        return Ok(());
    };
    let gigabytes = |bytes: u64| format!("{:.1} GB", (bytes as f64 / 1e8).ceil() / 10.0);
    ensure!(
        needed_bytes <= room.bytes,
        "{scan} needs about {} of memory, and {:.1} GB are there ({}): make a smaller scan of it, cut or of larger voxels, or \
         give this program {}",
        gigabytes(needed_bytes),
        room.bytes as f64 / 1e9,
        room.limit,
        gigabytes(needed_bytes),
    );
    Ok(())
}

impl Room {
    /// The narrowest limit that Linux tells of in the file system `root`; none of another system.
    fn below(root: &Path) -> Option<Self> {
        let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
        let status = read("proc/self/status").unwrap_or_default();
        let own = |name: &str| kilobytes(&status, name).unwrap_or(0);
        let (data, resident) = (own("VmData:"), own("VmRSS:"));
        let limits = read("proc/self/limits").unwrap_or_default();
        let rooms = [
            // Threads reserve addresses that they never use, and the program's own code takes some.
            soft_limit(&limits, "Max address space").map(|limit| Self {
                bytes: limit.saturating_sub(own("VmSize:").saturating_sub(data)),
                limit: "ulimit -v",
            }),
            soft_limit(&limits, "Max data size").map(|bytes| Self {
                bytes,
                limit: "ulimit -d",
            }),
            read("proc/meminfo")
                .and_then(|text| kilobytes(&text, "MemAvailable:"))
                .map(|free| Self {
                    bytes: free + resident,
                    limit: "what this machine has free",
                }),
        ];
        let groups = read("proc/self/cgroup").unwrap_or_default();
        let rooms = rooms.into_iter().flatten();
        rooms
            .chain(Self::of_groups(root, &groups, resident))
            .min_by_key(|room| room.bytes)
    }

    /// Of the control groups that this process is in: a container's or a job's.
    fn of_groups(root: &Path, groups: &str, resident: u64) -> impl Iterator<Item = Self> {
        let mut found = Vec::new();
        for group in groups.lines() {
            let mut parts = group.splitn(3, ':').skip(1);
            let (Some(kinds), Some(path)) = (parts.next(), parts.next()) else {
                continue;
            };
            // Of version 2 and of version 1: what may be held, what is, and of that what can be given back at once.
            let (mount, [limit, usage, idle]) = if kinds.is_empty() {
                let files = ["memory.max", "memory.current", "inactive_file "];
                ("sys/fs/cgroup", files)
            } else if kinds.split(',').any(|kind| kind == "memory") {
                let files = [
                    "memory.limit_in_bytes",
                    "memory.usage_in_bytes",
                    "total_inactive_file ",
                ];
                ("sys/fs/cgroup/memory", files)
            } else {
                continue;
            };
            let mount = root.join(mount);
            let inner = mount.join(path.trim_start_matches('/'));
            let folders = inner.ancestors().take_while(|it| it.starts_with(&mount));
            for folder in folders.map(PathBuf::from) {
                let number = |file: &str| -> Option<u64> {
                    let text = std::fs::read_to_string(folder.join(file)).ok()?;
                    text.trim().parse().ok()
                };
                let (Some(limit), Some(usage)) = (number(limit), number(usage)) else {
                    continue;
                };
                let stat = std::fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
                let idle = stat.lines().find_map(|line| line.strip_prefix(idle));
                let idle: u64 = idle.and_then(|idle| idle.trim().parse().ok()).unwrap_or(0);
                let others = usage.saturating_sub(idle).saturating_sub(resident);
                found.push(Self {
                    bytes: limit.saturating_sub(others),
                    limit: "the limit of its control group, as of a container or a job",
                });
            }
        }
        found.into_iter()
    }
}

/// Bytes of a line such as `VmRSS:  1234 kB`.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number = line.trim().strip_suffix("kB")?.trim();
    number.parse::<u64>().ok()?.checked_mul(1024)
}

/// The first number of a line of `/proc/self/limits`; none where it says unlimited.
fn soft_limit(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file system of a process that holds 100 MB, 60 of them in memory, and has 150 MB of addresses.
    fn system(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let root = std::env::temp_dir().join(format!("dinomed3d-{name}-{}", std::process::id()));
        let status = "Name:\tx\nVmSize:\t  150000 kB\nVmRSS:\t   60000 kB\nVmData:\t  100000 kB\n";
        for (path, text) in [("proc/self/status", status)].iter().chain(files) {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_narrowest_limit_is_found_and_named() {
        let limits = |addresses: &str, data: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max data size             {data}            unlimited            bytes     \n\
                 Max address space         {addresses}            unlimited            bytes     \n"
            )
        };
        let memory = "MemTotal:  9000000 kB\nMemAvailable:    4000000 kB\n";
        let unlimited = limits("unlimited", "unlimited");
        let narrow = limits("2000000000", "2500000000");
        let data = limits("unlimited", "900000000");
        let version_2: &[(&str, &str)] = &[
            ("proc/self/cgroup", "0::/job/step\n"),
            ("sys/fs/cgroup/job/memory.max", "1000000000\n"),
            ("sys/fs/cgroup/job/memory.current", "500000000\n"),
            (
                "sys/fs/cgroup/job/memory.stat",
                "anon 1\ninactive_file 300000000\n",
            ),
            ("sys/fs/cgroup/job/step/memory.max", "max\n"),
            ("sys/fs/cgroup/job/step/memory.current", "500000000\n"),
        ];
        let version_1: &[(&str, &str)] = &[
            (
                "proc/self/cgroup",
                "5:cpu,cpuacct:/x\n4:memory:/docker/abc\n",
            ),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "700000000\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "90000000\n"),
            (
                "sys/fs/cgroup/memory/memory.stat",
                "total_inactive_file 10000000\n",
            ),
        ];
        for (name, limits, more, bytes, words) in [
            ("free", &unlimited, &[][..], 4_060_000 * 1024, "machine"),
            (
                "addresses",
                &narrow,
                &[],
                2_000_000_000 - 50_000 * 1024,
                "ulimit -v",
            ),
            ("data", &data, &[], 900_000_000, "ulimit -d"),
            (
                "second",
                &unlimited,
                version_2,
                800_000_000 + 60_000 * 1024,
                "control group",
            ),
            (
                "first",
                &unlimited,
                version_1,
                620_000_000 + 60_000 * 1024,
                "control group",
            ),
        ] {
            let files = [("proc/self/limits", &**limits), ("proc/meminfo", memory)];
            let root = system(name, &[&files[..], more].concat());
            let room = Room::below(&root).unwrap();
            std::fs::remove_dir_all(&root).unwrap();
            assert_eq!(room.bytes, bytes, "{name}");
            assert!(room.limit.contains(words), "{name}: {}", room.limit);
        }
        assert_eq!(Room::below(Path::new("/nowhere")), None);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_both_figures() {
        assert!(expect_room(1, "scan.nii").is_ok());
        if cfg!(target_os = "linux") {
            let error = expect_room(3_000_000_000_000_000, "scan.nii").unwrap_err();
            let error = error.to_string();
            assert!(
                error.starts_with("scan.nii needs about 3000000.0 GB of memory, and "),
                "{error}"
            );
            assert!(error.contains("make a smaller scan of it"), "{error}");
        }
    }
}
