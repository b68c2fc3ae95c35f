//! The devices that a command line names.

use anyhow::{Context, bail};
use burn::tensor::Device;

/// A kind of device that this program was built with.
struct Kind {
    name: &'static str,
    /// The devices of this kind that are there. The processor is always one.
    present: fn() -> Vec<Device>,
    /// Whether the same device may be named more than once.
    is_shared: bool,
}

const KINDS: &[Kind] = &[
    Kind {
        name: "cpu",
        present: || vec![Device::flex()],
        is_shared: true,
    },
    #[cfg(feature = "libtorch")]
    Kind {
        name: "libtorch",
        #[allow(
            deprecated,
            reason = "it goes when Burn drops it; till then it is faster"
        )]
        present: || vec![Device::libtorch()],
        is_shared: true,
    },
    // LibTorch counts its cards itself: none where there is no driver, or where it was made without CUDA.
    #[cfg(feature = "libtorch")]
    Kind {
        name: "libtorch-cuda",
        present: || {
            // The windows of a model have one shape, for which cuDNN finds its fastest kernels once.
            tch::Cuda::cudnn_set_benchmark(true);
            Device::enumerate(burn::tensor::DeviceType::LibTorch).to_vec()
        },
        is_shared: false,
    },
    #[cfg(feature = "cuda")]
    Kind {
        name: "cuda",
        present: || Device::enumerate(burn::tensor::DeviceType::Cuda).to_vec(),
        is_shared: false,
    },
    #[cfg(feature = "vulkan")]
    Kind {
        name: "vulkan",
        present: || Device::enumerate(burn::tensor::DeviceType::Vulkan).to_vec(),
        is_shared: false,
    },
    #[cfg(feature = "webgpu")]
    Kind {
        name: "webgpu",
        present: || Device::enumerate(burn::tensor::DeviceType::Wgpu).to_vec(),
        is_shared: false,
    },
    #[cfg(feature = "webgpu")]
    Kind {
        name: "webgpu-half",
        present: || {
            let mut devices = Device::enumerate(burn::tensor::DeviceType::Wgpu).to_vec();
            devices.retain(|device| device.supports_dtype(burn::tensor::DType::F16));
            devices
        },
        is_shared: false,
    },
    #[cfg(feature = "vulkan")]
    Kind {
        name: "wgpu",
        present: || Device::enumerate(burn::tensor::DeviceType::Wgpu).to_vec(),
        is_shared: false,
    },
];

/// The devices of a list such as `cpu`, `cuda`, `cuda:1`, `cuda:0,1` or `cpu,cpu`: a name means its
/// first device, and a number alone another device of the name before it.
///
/// # Errors
/// One line that names the devices present, for a list that cannot be read, and a device that is
/// not there or stands twice.
pub fn devices(list: &str) -> anyhow::Result<Vec<Device>> {
    let mut found: Vec<(&Kind, usize)> = Vec::new();
    for part in list.split(',').map(str::trim) {
        let (name, index) = match part.split_once(':') {
            Some((name, index)) => (name, index),
            None if part.starts_with(|c: char| c.is_ascii_digit()) && !found.is_empty() => {
                (found[found.len() - 1].0.name, part)
            }
            None => (part, "0"),
        };
        let kind = KINDS
            .iter()
            .find(|kind| kind.name == name)
            .with_context(|| format!("device {part:?} is not one of this build. {}", present()))?;
        let index: usize = index
            .parse()
            .ok()
            .with_context(|| format!("device {part:?}: {index:?} is not a number of a device"))?;
        if !kind.is_shared && found.iter().any(|(k, i)| k.name == name && *i == index) {
            bail!("device {name}:{index} is named twice in {list:?}");
        }
        found.push((kind, index));
    }
    found
        .into_iter()
        .map(|(kind, index)| {
            let name = kind.name;
            (kind.present)()
                .into_iter()
                .nth(index)
                .with_context(|| format!("device {name}:{index} is not there. {}", present()))
        })
        .collect()
}

/// Finds one device by name.
///
/// # Errors
/// Those of [`devices`], and more devices than one.
pub fn device(name: &str) -> anyhow::Result<Device> {
    let mut found = devices(name)?;
    match found.len() {
        1 => Ok(found.remove(0)),
        count => bail!("{name:?} names {count} devices; one is expected here"),
    }
}

/// One line for people: the devices of this computer that this program can use.
fn present() -> String {
    let names: Vec<String> = KINDS
        .iter()
        .map(|kind| match (kind.present)().len() {
            0 => format!("no {}", kind.name),
            1 => kind.name.to_owned(),
            count => format!("{}:0 to {}:{}", kind.name, kind.name, count - 1),
        })
        .collect();
    format!("Present: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read() {
        assert_eq!(devices("cpu").unwrap().len(), 1);
        assert_eq!(devices("cpu, cpu").unwrap().len(), 2);
        assert_eq!(devices("cpu:0,0,0").unwrap().len(), 3);
        assert!(device("cpu,cpu").is_err());
    }

    #[test]
    fn what_is_absent_is_said_with_what_is_present() {
        for list in ["tpu", "cpu:1", "cpu,1", "0"] {
            let error = devices(list).unwrap_err().to_string();
            assert!(error.contains("Present: cpu"), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
        assert!(devices("cpu:x").is_err());
    }
}
