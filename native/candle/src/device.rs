//! What computes: the processor, or a graphics card where this crate was built for one.

use candle_core::utils::{cuda_is_available, metal_is_available};
use candle_core::Device;

/// What computes the models of an engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accelerator {
    /// The processor.
    #[default]
    Cpu,
    /// The first card of NVIDIA's; `CUDA_VISIBLE_DEVICES` says which is the first.
    Cuda,
    /// Apple's.
    Metal,
}

impl Accelerator {
    /// The one that a configuration names, opened once to see that it is there. `auto`: the best that there is.
    pub fn find(word: &str) -> Result<Self, String> {
        let named = match word {
            "auto" => {
                let built = [(cuda_is_available(), Self::Cuda), (metal_is_available(), Self::Metal)];
                let there = built.into_iter().find(|(is_built, found)| *is_built && open(*found).is_ok());
                return Ok(there.map_or(Self::Cpu, |(_, found)| found));
            }
            "cpu" => Self::Cpu,
            "cuda" => Self::Cuda,
            "metal" => Self::Metal,
            other => return Err(format!("`{other}` is none of auto, cpu, cuda, metal")),
        };
        open(named).map(|_| named)
    }

    /// As cards of models and the configuration name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Metal => "metal",
        }
    }

    fn is_built(self) -> bool {
        match self {
            Self::Cpu => true,
            Self::Cuda => cuda_is_available(),
            Self::Metal => metal_is_available(),
        }
    }
}

/// Candle's handle of it, or why there is none.
pub fn open(accelerator: Accelerator) -> Result<Device, String> {
    let name = accelerator.name();
    if !accelerator.is_built() {
        return Err(format!(
            "this hoosh was built without `{name}`; say device = \"cpu\", or build it with \
             `maturin build --release --features {name}`"
        ));
    }
    let opened = match accelerator {
        Accelerator::Cpu => Ok(Device::Cpu),
        Accelerator::Cuda => Device::new_cuda(0),
        Accelerator::Metal => Device::new_metal(0),
    };
    opened.map_err(|error| format!("no `{name}` device is there to compute with: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_always_there() {
        assert_eq!(Accelerator::find("cpu"), Ok(Accelerator::Cpu));
        assert!(Accelerator::find("auto").is_ok());
    }

    #[test]
    fn what_is_not_there_is_said() {
        assert!(Accelerator::find("tpu").unwrap_err().contains("none of"));
        for named in [Accelerator::Cuda, Accelerator::Metal] {
            match Accelerator::find(named.name()) {
                Ok(found) => assert_eq!(found, named),
                Err(why) => assert!(why.contains(named.name()), "{why}"),
            }
        }
    }
}
