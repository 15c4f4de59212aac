//! The finished parts that later stages stand on, read from the models folder: each loads its weights, frozen, under the
//! prefix that its stage's model asks for.

use crate::dataset::Dataset;
use crate::latents::Latents;
use crate::model_files;
use crate::parameters::Parameters;
use crate::sampling::Studio;
use crate::stages::denoiser::Reader;
use crate::stages::edit::{NoiseSchedule, Timesteps};
use crate::stages::language::Eyes;
use candle_core::{DType, Device};
use mgie_clip::{Processor, TextTower, Tower, TowerConfig, VisionTower};
use mgie_diffusion::config::Config;
use mgie_diffusion::schedule::{Prediction, Schedule, Spacing};
use mgie_diffusion::unet::UnetConfig;
use mgie_diffusion::vae::{Decoder, Encoder, VaeConfig};
use mgie_plugin_api::{Failure, Run};
use mgie_weights::tokenizer::ClipTokenizer;
use std::path::Path;
use std::sync::Mutex;

/// Folders within a models folder, by the authors' names.
pub mod place {
    /// CLIP, both towers.
    pub const CLIP: &str = "clip-vit-large-patch14";
    /// LLaVA.
    pub const LLAVA: &str = "LLaVA-7B-v1";
    /// What MGIE trains.
    pub const MGIE: &str = "mgie_7b";
    /// The autoencoder.
    pub const VAE: &str = "instruct-pix2pix/vae";
    /// The UNet of InstructPix2Pix.
    pub const UNET: &str = "instruct-pix2pix/unet";
    /// The noise schedule.
    pub const SCHEDULER: &str = "instruct-pix2pix/scheduler";
    /// CLIP's text tower, as the UNet is given it.
    pub const TEXT_ENCODER: &str = "instruct-pix2pix/text_encoder";
    /// Its tokenizer.
    pub const TOKENIZER: &str = "instruct-pix2pix/tokenizer";
}

/// The language model's eyes: the vision tower, as far as the layer that LLaVA's config names.
///
/// # Errors
/// A file that is missing, malformed or does not fit the others.
pub fn eyes(parameters: &Parameters, models: &Path, chosen: Option<i64>) -> Result<Eyes, Failure> {
    let folder = models.join(place::CLIP);
    let config = TowerConfig::read(&folder, Tower::Vision)?;
    let processor = Processor::read(&folder, config.image_size)?;
    model_files::load(parameters, "clip", &folder)?;
    model_files::check(parameters, &folder, true, |w| VisionTower::load(&w.pp("clip.vision_model"), &config))?;
    let entries = config.layers as i64 + 1;
    let chosen = chosen.unwrap_or(-2);
    let index = if chosen < 0 { entries + chosen } else { chosen };
    let layer = usize::try_from(index).ok().filter(|index| *index <= config.layers).ok_or_else(|| {
        Failure::file(models.join(place::LLAVA), format!("mm_vision_select_layer is {chosen}"))
            .expected(format!("-{entries} to {} for a CLIP of {} layers", config.layers, config.layers))
    })?;
    Ok(Eyes { config, processor, layer, learns: false, seen: Mutex::default() })
}

/// The texts' tower.
///
/// # Errors
/// As [`eyes`].
pub fn reader(parameters: &Parameters, models: &Path) -> Result<Reader, Failure> {
    let folder = models.join(place::TEXT_ENCODER);
    let config = TowerConfig::read(&folder, Tower::Text)?;
    let tokenizer = ClipTokenizer::open(&models.join(place::TOKENIZER))?;
    model_files::load(parameters, "text_encoder", &folder)?;
    model_files::check(parameters, &folder, true, |w| TextTower::load(&w.pp("text_encoder.text_model"), &config))?;
    Ok(Reader { config, tokenizer })
}

/// As [`reader`], of the width that `unet` attends to.
///
/// # Errors
/// As [`eyes`].
pub fn reader_for(parameters: &Parameters, models: &Path, unet: &UnetConfig) -> Result<Reader, Failure> {
    let reader = reader(parameters, models)?;
    if reader.config.hidden != unet.cross_attention_dim {
        let path = models.join(place::TEXT_ENCODER).join("config.json");
        return Err(Failure::file(path, "the UNet does not take this tower's features")
            .expected(format!("hidden_size {}, the UNet's cross_attention_dim", unet.cross_attention_dim))
            .found(reader.config.hidden.to_string())
            .remedy("put the text tower there that belongs to the UNet, or correct the UNet's config.json"));
    }
    Ok(reader)
}

/// The UNet's sizes and the noise that it is trained under.
///
/// # Errors
/// As [`eyes`].
pub fn diffusion(models: &Path) -> Result<(UnetConfig, VaeConfig, NoiseSchedule), Failure> {
    let config = |place: &str, name: &str| Config::read(models.join(place).join(name));
    let unet = UnetConfig::read(&config(place::UNET, "config.json")?)?;
    let vae = VaeConfig::read(&config(place::VAE, "config.json")?)?;
    let schedule = Schedule::new(config(place::SCHEDULER, "scheduler_config.json")?)?;
    if unet.in_channels != 2 * vae.latent_channels || unet.out_channels != vae.latent_channels {
        let found = format!("in_channels {}, out_channels {}", unet.in_channels, unet.out_channels);
        let (twice, once) = (2 * vae.latent_channels, vae.latent_channels);
        return Err(Failure::file(
            models.join(place::UNET).join("config.json"),
            "the UNet does not take this VAE's latents",
        )
        .expected(format!("in_channels {twice} (noisy latents and the picture's), out_channels {once}"))
        .found(found)
        .remedy("put a UNet and a VAE there that belong together"));
    }
    let noise = NoiseSchedule {
        alphas_cumprod: schedule.alphas_cumprod().to_vec(),
        prediction: schedule.prediction()?.unwrap_or(Prediction::Epsilon),
        scaling: vae.scaling_factor,
        timesteps: Timesteps::All(0.0),
        spacing: schedule.spacing(Spacing::Linspace)?,
    };
    Ok((unet, vae, noise))
}

/// The trained VAE and the noise schedule, to make pictures with.
///
/// # Errors
/// As [`eyes`].
pub fn studio(models: &Path, vae: &VaeConfig, device: &Device) -> Result<Studio, Failure> {
    let schedule = Schedule::new(Config::read(models.join(place::SCHEDULER).join("scheduler_config.json"))?)?;
    let frozen = Parameters::new(device, 0, |_| false);
    let folder = models.join(place::VAE);
    model_files::load_vae(&frozen, &folder)?;
    model_files::check(&frozen, &folder, true, |w| {
        Ok((Encoder::new(&w.pp("vae"), vae)?, Decoder::new(&w.pp("vae"), vae)?))
    })?;
    let both = frozen.weights(DType::F32);
    let (encoder, decoder) = both.load(|w| Ok((Encoder::new(&w.pp("vae"), vae)?, Decoder::new(&w.pp("vae"), vae)?)))?;
    Ok(Studio { encoder, decoder, schedule, scaling: vae.scaling_factor, device: device.clone() })
}

/// Sees that pictures of `side` pixels are a whole number of latents wide.
///
/// # Errors
/// They are not.
pub fn whole_latents(vae: &VaeConfig, parameter: &str, side: usize) -> Result<(), Failure> {
    let factor = vae.factor();
    if side == 0 || !side.is_multiple_of(factor) {
        let expected = format!("a multiple of {factor}, as many pixels as one of the VAE's latents is wide");
        return Err(Failure::parameter(parameter, expected, side.to_string()).remedy("choose such a size"));
    }
    Ok(())
}

/// The data set's latents, by the trained VAE; kept in `work`.
///
/// # Errors
/// As [`eyes`]; a picture that cannot be read; cancelled.
pub fn latents(
    run: &Run,
    studio: &Studio,
    models: &Path,
    dataset: &Dataset,
    side: usize,
    work: &Path,
) -> Result<Latents, Failure> {
    whole_latents(studio.encoder.config(), "side", side)?;
    let folder = models.join(place::VAE);
    let name = model_files::fingerprint(&[&folder, dataset.folder()], &[side, dataset.len()])?;
    model_files::make_folder(work)?;
    Latents::of(run, dataset, side, &studio.encoder, &studio.device, &work.join(format!("latents-{name}.f16")))
}
