"""Trains the model on the endless mixture of data.py, on a CPU, within a given number of minutes.

  python3 train.py --out FOLDER --minutes 60 [--resume]

Products run in bfloat16 (fast where the CPU has AMX), weights and sums are float32. Muon trains the
hidden matrices, AdamW the rest; the rate is held, then falls linearly to zero over the last part of
the time. A checkpoint (weights, optimisers, time spent) is written every two minutes.
"""
import argparse
import collections
import json
import os
import random
import time

import torch
import torch.nn.functional as F

import data
import fused
import tokenizer
from model import Model, load_config
from muon import Muon

HERE = os.path.dirname(os.path.abspath(__file__))
LONGEST = 384
IGNORE = -100


def vocabulary(path, size, seed):
    """Trains the tokenizer on a sample of the mixture unless the file is there already."""
    if not os.path.exists(path):
        rng = random.Random(seed)
        texts = []
        for _ in range(30000):
            system, history, question, thinking, answer = data.conversation(rng)
            texts += [system, question, (thinking or "") + "\n", "\n\n", answer]
            texts += [text for turn in history for text in turn]
        entries, merges = tokenizer.train(texts, data.SPECIALS, size)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(tokenizer.to_json(entries, merges, data.SPECIALS), file, ensure_ascii=False)
    return tokenizer.Tokenizer(path)


def batches(coder, seed, budget):
    """Endless (tokens, targets) of about `budget` tokens, conversations of like length together.

    Widths are multiples of 8 and each width has one batch size: few shapes, so that oneDNN's
    generated kernels are made once and found in its cache.
    """
    rng = random.Random(seed)
    pad = coder.specials[data.PAD]
    groups = collections.defaultdict(list)
    while True:
        system, history, question, thinking, answer = data.conversation(rng)
        prompt = coder.encode(data.render_prompt(system, history, question, thinking is not None))
        ids = prompt + coder.encode(data.render_answer(thinking, answer))
        width = -(-len(ids) // 8) * 8
        if width > LONGEST:
            continue
        groups[width].append((ids, len(prompt)))
        if len(groups[width]) < budget // width:
            continue
        group = groups.pop(width)
        tokens = torch.full((len(group), width), pad)
        targets = torch.full((len(group), width), IGNORE)
        for row, (ids, start) in enumerate(group):
            tokens[row, :len(ids)] = torch.tensor(ids)
            targets[row, start - 1:len(ids) - 1] = torch.tensor(ids[start:])
        yield tokens, targets


def loss_of(model, tokens, targets):
    hidden, targets = model.hidden(tokens).flatten(0, 1), targets.flatten()
    learnt = (targets != IGNORE).nonzero()[:, 0]
    if model.ops:
        learnt = torch.cat((learnt, (targets == IGNORE).nonzero()[:, 0][:-len(learnt) % 512]))
    logits = F.linear(hidden[learnt].to(model.dtype), model.head.to(model.dtype))
    if model.ops:
        return model.ops.cross_entropy(logits, targets[learnt])
    return F.cross_entropy(logits.float(), targets[learnt])


def optimisers(model, lr):
    hidden, others, decayless = [], [], []
    for name, p in model.named_parameters():
        if p.dim() >= 2 and name not in ("embed", "head") and not name.endswith("router"):
            hidden.append(p)
        else:
            (decayless if p.dim() < 2 else others).append(p)
    adam = torch.optim.AdamW([{"params": others, "weight_decay": 0.01},
                              {"params": decayless, "weight_decay": 0.0}], lr=0.2 * lr, betas=(0.9, 0.98))
    return Muon(hidden, lr=lr, decay=0.1), adam


def rate(progress, step, decay_share):
    warm = min(1.0, (step + 1) / 100)
    return warm * min(1.0, max(0.0, (1 - progress) / decay_share))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", required=True, help="folder of checkpoint.pt and tokenizer.json")
    parser.add_argument("--minutes", type=float, required=True, help="time to train in all")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    parser.add_argument("--tokens", type=int, default=6144, help="tokens in a batch")
    parser.add_argument("--lr", type=float, default=0.01, help="rate of Muon; AdamW has a fifth of it")
    parser.add_argument("--decay-share", type=float, default=0.4, help="last part, rate falling")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(options.seed)
    os.makedirs(options.out, exist_ok=True)
    config = load_config(os.path.join(HERE, "config.json"))
    coder = vocabulary(os.path.join(options.out, "tokenizer.json"), config["vocab_size"], options.seed)
    model = Model(config, torch.bfloat16, fused.load(options.out))
    both = optimisers(model, options.lr)
    base = [[group["lr"] for group in optimiser.param_groups] for optimiser in both]
    step, seen, spent, cpu, started = 0, 0, 0.0, 0.0, time.time()
    path = os.path.join(options.out, "checkpoint.pt")
    if options.resume:
        saved = torch.load(path)
        model.load_state_dict(saved["model"])
        for optimiser, state in zip(both, saved["optimisers"]):
            optimiser.load_state_dict(state)
        step, seen, spent, cpu = (saved[k] for k in ("step", "seen", "spent", "cpu"))
    stream = batches(coder, options.seed * 1000003 + step, options.tokens)
    average, last_print, last_save, done = None, time.time(), time.time(), False
    while not done:
        now = spent + time.time() - started
        factor = rate(now / (options.minutes * 60), step, options.decay_share)
        done = now >= options.minutes * 60
        for optimiser, lrs in zip(both, base):
            for group, lr in zip(optimiser.param_groups, lrs):
                group["lr"] = lr * factor
            optimiser.zero_grad(set_to_none=True)
        tokens, targets = next(stream)
        loss = loss_of(model, tokens, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in both:
            optimiser.step()
        for layer in model.layers:
            if hasattr(layer.mlp, "balance"):
                layer.mlp.balance(0.001 * factor)
        step, seen = step + 1, seen + tokens.numel()
        average = loss.item() if average is None else average * 0.97 + loss.item() * 0.03
        if time.time() - last_print > 20:
            print(f"step {step} loss {average:.4f} rate {factor:.2f} minutes {now / 60:.1f} "
                  f"Mtokens {seen / 1e6:.2f}", flush=True)
            last_print = time.time()
        if done or time.time() - last_save > 120:
            torch.save({"model": model.state_dict(), "optimisers": [o.state_dict() for o in both],
                        "step": step, "seen": seen, "spent": spent + time.time() - started,
                        "cpu": cpu + time.process_time(), "config": config}, path + ".new")
            os.replace(path + ".new", path)
            last_save = time.time()


if __name__ == "__main__":
    main()
