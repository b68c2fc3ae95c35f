//! The device that a command line names.

use anyhow::bail;
use burn::tensor::Device;

/// The devices that this program was built with.
const NAMES: &[&str] = &[
    "cpu",
    #[cfg(feature = "vulkan")]
    "vulkan",
    #[cfg(feature = "cuda")]
    "cuda",
];

/// Finds a device by name.
///
/// # Errors
/// One line that names the devices of this build.
pub fn device(name: &str) -> anyhow::Result<Device> {
    match name {
        "cpu" => Ok(Device::flex()),
        #[cfg(feature = "vulkan")]
        "vulkan" => Ok(Device::vulkan(burn::tensor::DeviceKind::DefaultDevice)),
        #[cfg(feature = "cuda")]
        "cuda" => Ok(Device::cuda(0)),
        other => bail!(
            "device {other:?} is not part of this build, which has: {}",
            NAMES.join(", ")
        ),
    }
}
