//! The two guidances of InstructPix2Pix: away from ignoring the text, and away from ignoring the picture.
//! Source: Brooks et al., arXiv 2211.09800, section 3.2; diffusers `StableDiffusionInstructPix2PixPipeline`.

/// Which questions the denoiser is asked at each step, and how its answers are mixed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guidance {
    text: f32,
    image: f32,
}

/// One question: what the denoiser is shown beside the noisy latents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Branch {
    /// The edit's conditioning rather than the null conditioning.
    pub text: bool,
    /// The picture's latents rather than zeros.
    pub image: bool,
}

impl Guidance {
    /// Scales for the text (7.5) and the picture (1.5). There is guidance where the text's is above 1 and the picture's
    /// at least 1, as in the original.
    pub fn new(text: f64, image: f64) -> Self {
        Self { text: text as f32, image: image as f32 }
    }

    /// Whether there is guidance.
    pub fn is_on(self) -> bool {
        self.text > 1.0 && self.image >= 1.0
    }

    /// The questions, in the order of the batch: three; two where the third's answer would cancel out; or one.
    pub fn branches(self) -> &'static [Branch] {
        const ALL: [Branch; 3] = [
            Branch { text: true, image: true },
            Branch { text: false, image: true },
            Branch { text: false, image: false },
        ];
        match (self.is_on(), self.image == 1.0) {
            (false, _) => &ALL[..1],
            (true, true) => &ALL[..2],
            (true, false) => &ALL,
        }
    }

    /// Mixes the answers to [`Guidance::branches`], which lie one after the other in `answers`.
    pub fn mix(self, answers: &[f32]) -> Vec<f32> {
        let count = self.branches().len();
        let length = answers.len() / count;
        let (both, rest) = answers.split_at(length);
        let (image, neither) = rest.split_at(rest.len().min(length));
        match count {
            1 => both.to_vec(),
            2 => both.iter().zip(image).map(|(both, image)| image + self.text * (both - image)).collect(),
            _ => both
                .iter()
                .zip(image)
                .zip(neither)
                .map(|((both, image), neither)| neither + self.text * (both - image) + self.image * (image - neither))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guidance_is_on_above_1_for_the_text_and_from_1_for_the_picture() {
        let branches = |text, image| Guidance::new(text, image).branches().len();
        assert_eq!([branches(7.5, 1.5), branches(7.5, 1.0), branches(1.0, 1.5), branches(7.5, 0.9)], [3, 2, 1, 1]);
    }

    #[test]
    fn the_two_branches_at_an_image_guidance_of_1_give_what_three_would() {
        let three = Guidance { text: 7.5, image: 1.0 };
        let answers = [0.3, -0.2, 0.1, 0.4, 0.9, -0.7];
        let expected: Vec<f32> = (0..2)
            .map(|index| {
                let [both, image, neither] = [answers[index], answers[index + 2], answers[index + 4]];
                neither + 7.5 * (both - image) + 1.0 * (image - neither)
            })
            .collect();
        let found = three.mix(&answers[..4]);
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} {expected:?}");
    }
}
