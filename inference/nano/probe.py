"""Accuracy per skill of a checkpoint or of an exported folder, in PyTorch, on held-out problems.

  python3 probe.py --checkpoint FOLDER | --model FOLDER [--count 60]

For steering the training; the figures that README.md quotes come from evaluate.py and the engine.
"""
import argparse
import os

import torch

import evaluate
import tokenizer
import weights
import data
from model import Model, load_config


def answers(model, coder, cases, size=40):
    """The text after the reasoning for each case, in batches of prompts of like length."""
    end, texts = coder.specials[data.EOS], {}
    prompts = [(i, coder.encode(data.render_prompt("", c.history, c.question)))
               for i, c in enumerate(cases)]
    prompts.sort(key=lambda p: len(p[1]))
    for at in range(0, len(prompts), size):
        part = prompts[at:at + size]
        for (i, _), out in zip(part, model.generate([ids for _, ids in part], end, 320)):
            texts[i] = coder.decode(out)
    return [texts[i] for i in range(len(cases))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint")
    parser.add_argument("--model")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--skills", default="")
    parser.add_argument("--show", type=int, default=2, help="wrong answers to print per skill")
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = options.checkpoint or options.model
    coder = tokenizer.Tokenizer(os.path.join(folder, "tokenizer.json"))
    if options.checkpoint:
        saved = torch.load(os.path.join(folder, "checkpoint.pt"))
        model = Model(saved["config"], torch.bfloat16)
        model.load_state_dict(saved["model"])
        print(f"step {saved['step']}, {saved['seen'] / 1e6:.1f} M tokens")
    else:
        model = Model(load_config(os.path.join(folder, "config.json")))
        weights.from_files(model, os.path.join(folder, "model.safetensors"))
    model.eval()
    for skill, cases in evaluate.problems(options.count, seed=7).items():
        if options.skills and skill not in options.skills.split(","):
            continue
        texts = answers(model, coder, cases)
        wrong = []
        for case, text in zip(cases, texts):
            answer = text.partition(data.THINK_END)[2].replace(data.EOS, "").strip()
            if answer != case.answer:
                wrong.append((case.question, text))
        print(f"{skill:24s} {100 * (1 - len(wrong) / len(cases)):5.1f} % of {len(cases)}", flush=True)
        for question, text in wrong[:options.show]:
            print(f"    {question!r} -> {text!r}")


if __name__ == "__main__":
    main()
