//! From a scene to its pixels. Only +, −, ×, ÷ and comparisons of f32 are used, which IEEE 754 fixes to the bit, so
//! that a scene has the same bytes on every machine; every background is smooth, since a small VAE has to keep it.

use super::world::{Background, Horizon, Light, Object, SIDE, Scene, Shape};

/// A scene's pixels: `SIDE` × `SIDE` × 3 bytes, rows from above, RGB.
pub type Pixels = Vec<u8>;

/// Samples a side in a pixel at the edge of an object.
const SUPERSAMPLES: usize = 4;

/// Draws a scene.
pub fn draw(scene: &Scene) -> Pixels {
    let mut canvas = backdrop(scene);
    for object in &scene.objects {
        paint(&mut canvas, object, scene.light);
    }
    canvas.iter().flatten().map(|&v| (v + 0.5).clamp(0.0, 255.0) as u8).collect()
}

/// The colours of a background: zenith, sky at the horizon, ground at the horizon, ground at the lower edge.
fn palette(background: Background) -> [[f32; 3]; 4] {
    match background {
        Background::Day => [[105., 170., 228.], [196., 224., 242.], [176., 196., 128.], [150., 174., 104.]],
        Background::Sunset => [[84., 70., 128.], [246., 172., 126.], [96., 70., 78.], [70., 50., 62.]],
        Background::Snow => [[150., 174., 204.], [204., 214., 228.], [214., 222., 234.], [188., 200., 220.]],
        Background::Desert => [[136., 194., 220.], [240., 222., 186.], [216., 182., 128.], [190., 152., 100.]],
        Background::Night => [[12., 16., 44.], [42., 50., 92.], [26., 32., 44.], [14., 18., 28.]],
        Background::Forest => [[146., 186., 170.], [200., 218., 192.], [72., 92., 60.], [48., 66., 44.]],
    }
}

/// Background and ground, in rows of pixels.
fn backdrop(scene: &Scene) -> Vec<[f32; 3]> {
    let side = SIDE as f32;
    let [zenith, haze, near, edge] = palette(scene.background);
    let line: Vec<f32> = (0..SIDE).map(|x| horizon_row(&scene.horizon, x as f32)).collect();
    let mut canvas = Vec::with_capacity(SIDE * SIDE);
    for y in 0..SIDE {
        for row in &line {
            let y = y as f32 + 0.5;
            let sky = mix(zenith, haze, (y / row).min(1.0));
            let ground = mix(near, edge, ((y - row) / (side - row)).max(0.0));
            // Two pixels wide: a harder edge gains nothing and costs a small VAE much.
            let colour = mix(sky, ground, ((y - row) / 2.0 + 0.5).clamp(0.0, 1.0));
            canvas.push([0, 1, 2].map(|i| colour[i] + scene.tint[i]));
        }
    }
    canvas
}

fn horizon_row(horizon: &Horizon, x: f32) -> f32 {
    horizon.waves.iter().fold(horizon.row, |row, &[height, length, phase]| row + height * wave(x / length + phase))
}

/// A wave of parabolas, of period 1 and height 1: close to a sine, and the same on every machine.
fn wave(t: f32) -> f32 {
    let x = (t - t.floor()) * 2.0 - 1.0;
    4.0 * x * (1.0 - x.abs())
}

fn mix(from: [f32; 3], to: [f32; 3], share: f32) -> [f32; 3] {
    [0, 1, 2].map(|i| from[i] + (to[i] - from[i]) * share)
}

/// Lays an object over the canvas: its colour, lighter above than below, with antialiased edges.
fn paint(canvas: &mut [[f32; 3]], object: &Object, light: Light) {
    let outline = outline(object.shape);
    let (radius, (x, y)) = (object.radius as f32, object.centre);
    let light = match light {
        Light::Full => [1.0; 3],
        Light::Moon => [0.45, 0.5, 0.7],
    };
    let colour = object.colour.rgb();
    let reach =
        |centre: i32| (centre - object.radius - 1).max(0) as usize..((centre + object.radius + 2) as usize).min(SIDE);
    for row in reach(y) {
        for column in reach(x) {
            let mut inside = 0;
            for sample in 0..SUPERSAMPLES * SUPERSAMPLES {
                let offset = |index: usize| (index as f32 + 0.5) / SUPERSAMPLES as f32;
                let at_x = (column as f32 + offset(sample % SUPERSAMPLES) - x as f32) / radius;
                let at_y = (row as f32 + offset(sample / SUPERSAMPLES) - y as f32) / radius;
                inside += usize::from(holds(&outline, at_x, at_y));
            }
            if inside > 0 {
                let share = inside as f32 / (SUPERSAMPLES * SUPERSAMPLES) as f32;
                let shade = 0.92 - 0.12 * (row as f32 + 0.5 - y as f32) / radius;
                let lit = [0, 1, 2].map(|i| (colour[i] * shade * light[i]).min(255.0));
                let pixel = &mut canvas[row * SIDE + column];
                *pixel = mix(*pixel, lit, share);
            }
        }
    }
}

/// The corners of a shape of radius 1, y downwards; none for the circle.
fn outline(shape: Shape) -> Vec<[f32; 2]> {
    match shape {
        Shape::Circle => Vec::new(),
        Shape::Square => vec![[-0.86, -0.86], [0.86, -0.86], [0.86, 0.86], [-0.86, 0.86]],
        Shape::Triangle => vec![[0.0, -0.96], [1.0, 0.84], [-1.0, 0.84]],
        Shape::Star => {
            // The sines and cosines of 18° and 54°; the inner corners lie at 0.46 of the outer ones' radius.
            let ((s18, c18), (s54, c54)) = ((0.309_017, 0.951_056_5), (0.809_017, 0.587_785_25));
            let (outer, inner) = (
                [[0.0, -1.0], [c18, -s18], [c54, s54], [-c54, s54], [-c18, -s18]],
                [[c54, -s54], [c18, s18], [0.0, 1.0], [-c18, s18], [-c54, -s54]].map(|[x, y]| [0.46 * x, 0.46 * y]),
            );
            outer.into_iter().zip(inner).flat_map(|(outer, inner)| [outer, inner]).collect()
        }
        Shape::Cross => {
            let (arm, end) = (0.33, 0.96);
            vec![
                [-arm, -end],
                [arm, -end],
                [arm, -arm],
                [end, -arm],
                [end, arm],
                [arm, arm],
                [arm, end],
                [-arm, end],
                [-arm, arm],
                [-end, arm],
                [-end, -arm],
                [-arm, -arm],
            ]
        }
    }
}

/// Whether a point lies within the corners (even-odd rule), or within the unit circle where there are none.
fn holds(corners: &[[f32; 2]], x: f32, y: f32) -> bool {
    let Some(last) = corners.last() else { return x * x + y * y <= 1.0 };
    let mut from = last;
    let mut inside = false;
    for to in corners {
        let crosses = (from[1] > y) != (to[1] > y);
        if crosses && x < (to[0] - from[0]) * (y - from[1]) / (to[1] - from[1]) + from[0] {
            inside = !inside;
        }
        from = to;
    }
    inside
}
