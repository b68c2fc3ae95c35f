//! Which backend the worker computes on, and why.

use burn::tensor::Device;
use dinomed3d_core::infer::check::CheckReach;

use super::protocol::{Backend, BackendChoice, FromWorker};
use super::scope::{self, Adapter};

/// A backend that was chosen.
pub struct ChosenBackend {
    /// Its kind.
    pub backend: Backend,
    /// Where tensors live.
    pub device: Device,
    /// Whether the visitor insists on it.
    pub is_forced: bool,
    /// How much of it is checked with a model: a card's kernels at the size of a window too; the CPU runs the code that
    /// known answers were made with, and a software adapter would take minutes.
    pub reach: CheckReach,
    adapter: Option<String>,
    reason: String,
}

impl ChosenBackend {
    /// The CPU, for `reason`.
    pub fn cpu(reason: impl Into<String>, adapter: Option<String>) -> Self {
        Self {
            backend: Backend::Cpu,
            device: Device::flex(),
            is_forced: false,
            reach: CheckReach::Parts,
            adapter,
            reason: reason.into(),
        }
    }

    /// Tells the page.
    pub fn announce(&self) {
        scope::post(&FromWorker::Ready {
            backend: self.backend,
            adapter: self.adapter.clone(),
            reason: self.reason.clone(),
        });
    }

    /// Looks for what `choice` asks for.
    ///
    /// # Errors
    /// Why WebGPU can't be had although the visitor insists on it.
    pub async fn find(choice: BackendChoice, avoid: Option<String>) -> Result<Self, String> {
        if choice == BackendChoice::Cpu {
            return Ok(Self::cpu("You chose it.", None));
        }
        let is_forced = choice == BackendChoice::WebGpu;
        if let (false, Some(avoid)) = (is_forced, avoid) {
            return Ok(Self::cpu(format!("{avoid}."), None));
        }
        let adapter = match scope::find_adapter().await {
            Ok(adapter) => adapter,
            Err(problem) if is_forced => return Err(problem),
            Err(problem) => return Ok(Self::cpu(problem, None)),
        };
        let name = adapter.name.clone();
        if let Some(problem) = unfit(&adapter) {
            return if is_forced {
                Err(problem)
            } else {
                Ok(Self::cpu(problem, Some(name)))
            };
        }
        if adapter.is_software && !is_forced {
            let reason = format!(
                "The only WebGPU adapter here is software ({name}), which is slower than the CPU used directly."
            );
            return Ok(Self::cpu(reason, Some(name)));
        }
        match Self::start_webgpu(&adapter, is_forced).await {
            Ok(chosen) => Ok(chosen),
            Err(problem) if is_forced => Err(problem),
            Err(problem) => Ok(Self::cpu(problem, Some(name))),
        }
    }

    async fn start_webgpu(adapter: &Adapter, is_forced: bool) -> Result<Self, String> {
        let device = Device::wgpu_options()
            .init_async()
            .await
            .map_err(|error| format!("The graphics device could not be started: {error}."))?;
        let name = &adapter.name;
        let reason = match (is_forced, adapter.is_software) {
            (true, true) => {
                format!("You chose it. Its adapter is software ({name}): expect it to be slow.")
            }
            (true, false) => format!("You chose it. Graphics adapter: {name}."),
            (false, _) => format!("Graphics adapter: {name}."),
        };
        Ok(Self {
            backend: Backend::WebGpu,
            device,
            is_forced,
            reach: if adapter.is_software {
                CheckReach::Parts
            } else {
                CheckReach::Window
            },
            adapter: Some(name.clone()),
            reason,
        })
    }
}

/// Why an adapter can't be used at all.
fn unfit(adapter: &Adapter) -> Option<String> {
    (!adapter.has_timestamps).then(|| {
        format!(
            "The graphics adapter ({}) has no timestamp queries, which the WebGPU backend needs.",
            adapter.name
        )
    })
}
