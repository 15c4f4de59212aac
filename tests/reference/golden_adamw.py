"""AdamW with weight decay, clipping off and on, and a moving average: where torch.optim.AdamW takes two tensors. → adamw.json"""

import torch

from places import GOLDENS, write_json

STEPS, DECAY = 12, 0.5
CASES = {
    "decay_without_clipping": {"weight_decay": 0.1, "clip": 0.0},
    "decay_with_clipping": {"weight_decay": 0.1, "clip": 1.5},
    "neither": {"weight_decay": 0.0, "clip": 0.0},
}


def run(begin, gradients, rates, weight_decay, clip):
    parameters = {name: torch.nn.Parameter(tensor.clone()) for name, tensor in begin.items()}
    optimiser = torch.optim.AdamW(parameters.values(), lr=0.0, weight_decay=weight_decay, foreach=False)
    average = {name: tensor.double() for name, tensor in begin.items()}
    steps = []
    for number, (gradient, rate) in enumerate(zip(gradients, rates), 1):
        for name, parameter in parameters.items():
            parameter.grad = gradient[name].clone()
        # An infinite norm to clip to leaves the gradients as they are.
        norm = torch.nn.utils.clip_grad_norm_(parameters.values(), clip or float("inf")).item()
        optimiser.param_groups[0]["lr"] = rate
        optimiser.step()
        decay = min(DECAY, (1 + number) / (10 + number))  # TensorFlow's ExponentialMovingAverage with num_updates
        average = {name: decay * average[name] + (1 - decay) * parameters[name].detach().double() for name in begin}
        steps.append({"norm": norm} | {name: parameter.flatten().tolist() for name, parameter in parameters.items()})
    return {"weight_decay": weight_decay, "clip": clip, "steps": steps, "average": {n: t.flatten().tolist() for n, t in average.items()}}


def main():
    torch.set_num_threads(1)
    torch.manual_seed(7)
    begin = {"matrix": torch.randn(2, 3), "vector": torch.randn(4)}
    # Norms on both sides of what is clipped to.
    gradients = [{name: torch.randn_like(tensor) * 0.2 * 1.4**step for name, tensor in begin.items()} for step in range(STEPS)]
    rates = [0.02 * (1 - step / STEPS) for step in range(STEPS)]
    numbers = lambda tensors: {name: tensor.flatten().tolist() for name, tensor in tensors.items()}
    golden = {
        "shapes": {name: list(tensor.shape) for name, tensor in begin.items()},
        "ema": DECAY, "rates": rates, "begin": numbers(begin), "gradients": [numbers(gradient) for gradient in gradients],
    }
    write_json(GOLDENS / "adamw.json", golden | {"cases": {name: run(begin, gradients, rates, **case) for name, case in CASES.items()}})


if __name__ == "__main__":
    main()
