//! Editing many pictures with one of the paper's methods: MGIE, InstructPix2Pix (the instruction itself, through CLIP's
//! text tower), and LGIE (a language model that never sees the picture rewrites it). Each picture's noise is what the node
//! `diffusion.denoise` would draw from its seed.

use crate::dataset::Dataset;
use crate::model_files;
use crate::parameters::Parameters;
use crate::parts::{self, place};
use crate::stages::denoiser::Reader;
use crate::stages::language::Eyes;
use crate::stages::{bytes, pixels};
use candle_core::{DType, Device, Tensor};
use mgie_diffusion::config::Config;
use mgie_diffusion::guidance::Guidance;
use mgie_diffusion::noise::{Generator, Precision};
use mgie_diffusion::samplers::sampler;
use mgie_diffusion::schedule::Schedule;
use mgie_diffusion::unet::{Unet, UnetConfig};
use mgie_diffusion::vae::{Decoder, Encoder, VaeConfig};
use mgie_edit_head::EditHead;
use mgie_image::picture::Picture;
use mgie_mllm::config::LlavaConfig;
use mgie_mllm::generate::{Onlooker, Rules};
use mgie_mllm::llava::Llava;
use mgie_mllm::{LlavaTokenizer, expressive_instruction};
use mgie_plugin_api::{Failure, Run};
use mgie_weights::WeightsError;
use std::path::Path;
use std::sync::Arc;

/// One of the methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The whole of MGIE.
    Mgie,
    /// The instruction itself.
    InstructPix2Pix,
    /// The instruction, rewritten without the picture.
    Lgie,
}

impl Method {
    /// Every method, by its name in parameters.
    pub const ALL: [(&'static str, Self); 3] =
        [("mgie", Self::Mgie), ("instruct-pix2pix", Self::InstructPix2Pix), ("lgie", Self::Lgie)];
}

/// How edits are sampled.
#[derive(Debug, Clone)]
pub struct Sampling {
    /// Steps.
    pub steps: usize,
    /// Text guidance.
    pub guidance: f64,
    /// Image guidance.
    pub image_guidance: f64,
    /// One of the samplers.
    pub sampler: String,
    /// The first picture's seed; each next one's is one more.
    pub seed: u64,
    /// Most tokens of an answer.
    pub max_new_tokens: usize,
    /// No run of so many tokens comes twice; 0 for no such rule.
    pub no_repeat_ngram: usize,
}

/// An edited picture, and what the language model said where there is one.
pub struct Edited {
    /// RGB, 8 bits.
    pub picture: Vec<u8>,
    /// The expressive instruction.
    pub text: Option<String>,
}

/// A method's models, loaded.
pub struct Editor {
    parameters: Parameters,
    language: Option<(Llava, Option<Eyes>)>,
    reader: Option<Reader>,
    unet: UnetConfig,
    vae: VaeConfig,
    schedule: Schedule,
    sampling: Sampling,
}

/// Ends a generation when the run is cancelled.
struct Watching<'r>(&'r Run);

impl Onlooker for Watching<'_> {
    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

impl Editor {
    /// Loads what `method` needs: MGIE's weights from the folder `mgie` within the models folder, LGIE's language model
    /// from `lgie`.
    ///
    /// # Errors
    /// A file that is missing, malformed or does not fit the others.
    pub fn load(
        models: &Path,
        method: Method,
        mgie: &str,
        lgie: &str,
        device: &Device,
        sampling: Sampling,
    ) -> Result<Self, Failure> {
        let parameters = Parameters::new(device, 0, |_| false);
        let (unet, vae, _) = parts::diffusion(models)?;
        let schedule = Schedule::new(Config::read(models.join(place::SCHEDULER).join("scheduler_config.json"))?)?;
        model_files::load(&parameters, "vae", &models.join(place::VAE))?;
        let (mut language, mut reader) = (None, None);
        if method == Method::Mgie {
            model_files::load(&parameters, "unet", &models.join(mgie).join("unet.pt"))?;
        } else {
            model_files::load(&parameters, "unet", &models.join(place::UNET))?;
            reader = Some(parts::reader(&parameters, models)?);
        }
        if method != Method::InstructPix2Pix {
            let folder = models.join(if method == Method::Mgie { place::LLAVA } else { lgie });
            let config = LlavaConfig::read(&folder)?;
            let tokenizer = Arc::new(LlavaTokenizer::open(&folder, config.use_im_start_end)?);
            model_files::load(&parameters, "llava", &folder)?;
            let mut eyes = None;
            if method == Method::Mgie {
                let mllm = models.join(mgie).join("mllm.pt");
                model_files::load(&parameters, "llava", &mllm)?;
                model_files::load(&parameters, "mgie", &mllm)?;
                eyes = Some(parts::eyes(&parameters, models, config.vision_layer)?);
            }
            let llava = parameters.weights(DType::F32).load(|w| Llava::new(config, tokenizer, &w.pp("llava")))?;
            language = Some((llava, eyes));
        }
        Ok(Self { parameters, language, reader, unet, vae, schedule, sampling })
    }

    /// Edits the pictures of `examples`, cut to squares of `side`; their seeds count on from the first's.
    ///
    /// # Errors
    /// A picture that cannot be read, cancelled, no memory.
    pub fn edit(&self, run: &Run, dataset: &Dataset, examples: &[usize], side: usize) -> Result<Vec<Edited>, Failure> {
        let entries = examples.iter().filter_map(|example| dataset.entries().get(*example));
        let instructions: Vec<&str> = entries.map(|entry| entry.instruction.as_str()).collect();
        let sources = examples.iter().map(|example| Ok(dataset.pair(*example, side)?.source));
        let sources = sources.collect::<Result<Vec<_>, Failure>>()?;
        let (conditioning, null, texts) = self.condition(run, &instructions, &sources)?;
        let pictures = self.denoise(run, examples, &sources, &conditioning, &null)?;
        Ok(pictures.into_iter().zip(texts).map(|(picture, text)| Edited { picture, text }).collect())
    }

    /// Conditioning and null conditioning, `[examples, tokens, width]` and `[1, tokens, width]`, and the texts.
    fn condition(
        &self,
        run: &Run,
        instructions: &[&str],
        sources: &[Picture],
    ) -> Result<(Tensor, Tensor, Vec<Option<String>>), Failure> {
        let Sampling { max_new_tokens, no_repeat_ngram, .. } = self.sampling;
        let mut texts = vec![None; instructions.len()];
        let mut visual = Vec::new();
        if let Some((llava, eyes)) = &self.language {
            let features = eyes.as_ref().map(|eyes| eyes.of(&self.parameters, sources, DType::F32)).transpose()?;
            let rules = Rules { max_new_tokens, no_repeat_ngram, eos: vec![llava.tokenizer().eos()] };
            for (index, instruction) in instructions.iter().enumerate() {
                let features = features.as_ref().map(|all| all.get(index)).transpose().map_err(WeightsError::from)?;
                let expansion = llava.expand(features.as_ref(), instruction, &rules, &mut Watching(run))?;
                texts[index] = Some(expressive_instruction(&llava.tokenizer().decode(&expansion.sequence)));
                visual.push(expansion.visual_tokens);
            }
            if eyes.is_some() {
                let both = || -> candle_core::Result<(Tensor, Tensor)> {
                    let head = EditHead::load(&self.parameters.weights(DType::F32).pp("mgie.edit_head"))?;
                    let img = llava.img_embeddings();
                    let null = head.forward(&img.zeros_like()?.unsqueeze(0)?, img)?;
                    Ok((head.forward(&Tensor::stack(&visual, 0)?, img)?, null))
                };
                let (conditioning, null) = both().map_err(WeightsError::from)?;
                return Ok((conditioning, null, texts));
            }
        }
        let reader = self.reader.as_ref().ok_or_else(|| Failure::fault("a method without a text tower"))?;
        let read: Vec<&str> = instructions
            .iter()
            .zip(&texts)
            .map(|(instruction, text)| text.as_deref().map_or(*instruction, bare))
            .collect();
        let conditioning = reader.conditioning(&self.parameters, &read, DType::F32)?;
        Ok((conditioning, reader.conditioning(&self.parameters, &[""], DType::F32)?, texts))
    }

    fn denoise(
        &self,
        run: &Run,
        examples: &[usize],
        sources: &[Picture],
        conditioning: &Tensor,
        null: &Tensor,
    ) -> Result<Vec<Vec<u8>>, Failure> {
        let Sampling { steps, guidance, image_guidance, sampler: name, seed, .. } = &self.sampling;
        let prediction = self.schedule.prediction()?.unwrap_or(mgie_diffusion::schedule::Prediction::Epsilon);
        let mut sampler = sampler(name, &self.schedule, prediction, *steps)?;
        let guidance = Guidance::new(*guidance, *image_guidance);
        let w = self.parameters.weights(DType::F32);
        let device = self.parameters.device();
        let mut generators: Vec<Generator> =
            examples.iter().map(|example| Generator::torch_cpu(seed.wrapping_add(*example as u64))).collect();
        let wrong = |error| Failure::from(WeightsError::from(error));
        let unet = Unet::new(&w.pp("unet"), &self.unet).map_err(wrong)?;
        let shown = || -> candle_core::Result<(Tensor, Tensor)> {
            let image = Encoder::new(&w.pp("vae"), &self.vae)?.mode(&pixels(sources, device)?, &|| Ok(()))?;
            let null = null.broadcast_as(conditioning.shape())?.contiguous()?;
            let branches = guidance.branches();
            let contexts: Vec<&Tensor> = branches.iter().map(|b| if b.text { conditioning } else { &null }).collect();
            let nothing = image.zeros_like()?;
            let images: Vec<&Tensor> = branches.iter().map(|b| if b.image { &image } else { &nothing }).collect();
            Ok((Tensor::cat(&contexts, 0)?, Tensor::cat(&images, 0)?))
        };
        let (contexts, images) = shown().map_err(wrong)?;
        let (all, channels, height, width) = images.dims4().map_err(wrong)?;
        let each = channels * height * width;
        let mut draw = || -> Vec<f32> { generators.iter_mut().flat_map(|g| g.randn(each, Precision::F32)).collect() };
        let sigma = sampler.initial_sigma();
        let mut latents: Vec<f32> = draw().into_iter().map(|noise| noise * sigma).collect();
        for (step, timestep) in sampler.timesteps().to_vec().into_iter().enumerate() {
            run.check_cancelled()?;
            let input = sampler.model_input(step, &latents).repeat(guidance.branches().len());
            let answer = || -> candle_core::Result<Vec<f32>> {
                let noisy = Tensor::from_vec(input, (all, channels, height, width), device)?;
                let x = Tensor::cat(&[&noisy, &images], 1)?;
                unet.forward(&x, &[f64::from(timestep)], &contexts)?.flatten_all()?.to_vec1()
            };
            let answers = answer().map_err(wrong)?;
            latents = sampler.step(step, &latents, &guidance.mix(&answers), &mut draw).latents;
        }
        let decode = || -> candle_core::Result<Vec<Vec<u8>>> {
            let latents = Tensor::from_vec(latents, (examples.len(), channels, height, width), device)?;
            let latents = (latents * (1.0 / self.vae.scaling_factor))?;
            bytes(&Decoder::new(&w.pp("vae"), &self.vae)?.decode(&latents, &|| Ok(()))?)
        };
        decode().map_err(wrong)
    }
}

/// A text as the data sets have it: without the full stop that people are shown.
fn bare(text: &str) -> &str {
    text.trim().trim_end_matches('.')
}
