#!/usr/bin/env python3
"""Checks the exported folder without PyTorch: files, tokens and logits, by code of its own.

  check_model.py [--model DIR] [--cases 2]

Reads model.safetensors (every size and offset), renders and tokenises the conversations of
expected.json, and computes the logits after each prompt in plain Python from the papers' formulas
(DeepSeek-V2/V3: latent attention, sigmoid router with bias and groups), one token at a time with
the latent cached. They must agree with the stored float32 ones. Standard library only; some seconds
a case. Exit 0 when all agree, 3 when not.
"""
import argparse
import json
import math
import os
import struct
import sys

import data
import tokenizer

TOLERANCE = 2e-3
MOST_BYTES = 8 << 20


def read_tensors(path):
    """{name: (shape, rows of floats, or one row for a vector)}"""
    with open(path, "rb") as file:
        size, = struct.unpack("<Q", file.read(8))
        header, blob = json.loads(file.read(size)), file.read()
    tensors, spans = {}, []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        count, width = math.prod(entry["shape"]), {"BF16": 2, "F32": 4}[entry["dtype"]]
        if end - begin != count * width:
            raise ValueError(f"{name}: {end - begin} bytes for shape {entry['shape']}")
        spans.append((begin, end))
        raw = blob[begin:end]
        if width == 2:
            raw = b"".join(b"\0\0" + raw[i:i + 2] for i in range(0, len(raw), 2))
        values = struct.unpack(f"<{count}f", raw)
        if len(entry["shape"]) == 1:
            tensors[name] = values
        else:
            rows, columns = entry["shape"]
            tensors[name] = [values[r * columns:(r + 1) * columns] for r in range(rows)]
    spans.sort()
    if [s[0] for s in spans] != [0] + [s[1] for s in spans[:-1]] or spans[-1][1] != len(blob):
        raise ValueError("the tensors do not tile the file")
    return tensors


def dot(a, b):
    return sum(map(float.__mul__, a, b))


def apply(matrix, vector):
    return [dot(row, vector) for row in matrix]


def norm(vector, weight, eps):
    scale = (sum(v * v for v in vector) / len(vector) + eps) ** -0.5
    return [v * scale * w for v, w in zip(vector, weight)]


def silu(x):
    return x / (1 + math.exp(-x)) if x > -700 else 0.0


def rotate(vector, position, base):
    out = []
    for i in range(0, len(vector), 2):
        angle = position * base ** (-i / len(vector))
        c, s = math.cos(angle), math.sin(angle)
        out += [vector[i] * c - vector[i + 1] * s, vector[i] * s + vector[i + 1] * c]
    return out


class Reference:
    def __init__(self, folder):
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            self.c = json.load(file)
        self.w = read_tensors(os.path.join(folder, "model.safetensors"))

    def mlp(self, x, base):
        gate = apply(self.w[base + "gate_proj.weight"], x)
        up = apply(self.w[base + "up_proj.weight"], x)
        return apply(self.w[base + "down_proj.weight"], [silu(g) * u for g, u in zip(gate, up)])

    def moe(self, x, base):
        c = self.c
        scores = [1 / (1 + math.exp(-s)) for s in apply(self.w[base + "gate.weight"], x)]
        choice = [s + b for s, b in zip(scores, self.w[base + "gate.e_score_correction_bias"])]
        size = c["n_routed_experts"] // c["n_group"]
        strength = [(sum(sorted(choice[g * size:(g + 1) * size])[-2:]), g) for g in range(c["n_group"])]
        groups = {g for _, g in sorted(strength, reverse=True)[:c["topk_group"]]}
        allowed = sorted(((choice[e], e) for e in range(len(choice)) if e // size in groups), reverse=True)
        chosen = [e for _, e in allowed[:c["num_experts_per_tok"]]]
        total = sum(scores[e] for e in chosen) if c["norm_topk_prob"] else 1.0
        out = self.mlp(x, base + "shared_experts.")
        for e in chosen:
            weight = scores[e] / total * c["routed_scaling_factor"]
            out = [o + weight * y for o, y in zip(out, self.mlp(x, f"{base}experts.{e}."))]
        return out

    def attention(self, x, base, position, cache):
        """The cache holds (latent, rotated key) only; queries are absorbed into the latent space."""
        c, w = self.c, self.w
        nope, rope, value, rank = (c[k] for k in ("qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim",
                                                  "kv_lora_rank"))
        q = norm(apply(w[base + "q_a_proj.weight"], x), w[base + "q_a_layernorm.weight"], c["rms_norm_eps"])
        q = apply(w[base + "q_b_proj.weight"], q)
        both = apply(w[base + "kv_a_proj_with_mqa.weight"], x)
        latent = norm(both[:rank], w[base + "kv_a_layernorm.weight"], c["rms_norm_eps"])
        cache.append((latent, rotate(both[rank:], position, c["rope_theta"])))
        expand, out = w[base + "kv_b_proj.weight"], []
        for head in range(c["num_attention_heads"]):
            mine = q[head * (nope + rope):(head + 1) * (nope + rope)]
            turned = rotate(mine[nope:], position, c["rope_theta"])
            rows = expand[head * (nope + value):(head + 1) * (nope + value)]
            absorbed = [sum(m * row[i] for m, row in zip(mine[:nope], rows)) for i in range(rank)]
            scores = [(dot(absorbed, l) + dot(turned, k)) * (nope + rope) ** -0.5 for l, k in cache]
            top = max(scores)
            weights = [math.exp(s - top) for s in scores]
            total = sum(weights)
            mixed = [sum(p * l[i] for p, (l, _) in zip(weights, cache)) / total for i in range(rank)]
            out += apply(rows[nope:], mixed)
        return apply(w[base + "o_proj.weight"], out)

    def logits(self, tokens):
        c, w = self.c, self.w
        caches = [[] for _ in range(c["num_hidden_layers"])]
        for position, token in enumerate(tokens):
            x = list(w["model.embed_tokens.weight"][token])
            for i, cache in enumerate(caches):
                base = f"model.layers.{i}."
                h = norm(x, w[base + "input_layernorm.weight"], c["rms_norm_eps"])
                x = [a + b for a, b in zip(x, self.attention(h, base + "self_attn.", position, cache))]
                h = norm(x, w[base + "post_attention_layernorm.weight"], c["rms_norm_eps"])
                part = self.mlp if i < c["first_k_dense_replace"] else self.moe
                x = [a + b for a, b in zip(x, part(h, base + "mlp."))]
        return apply(w["lm_head.weight"], norm(x, w["model.norm.weight"], c["rms_norm_eps"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default=os.path.join(data.HERE, "model"))
    parser.add_argument("--cases", type=int, default=2, help="how many logits to compute")
    options = parser.parse_args()
    failed = False
    size = sum(entry.stat().st_size for entry in os.scandir(options.model))
    print(f"folder: {size} bytes" + ("" if size <= MOST_BYTES else f", more than {MOST_BYTES}"))
    failed |= size > MOST_BYTES
    reference = Reference(options.model)
    coder = tokenizer.Tokenizer(os.path.join(options.model, "tokenizer.json"))
    with open(os.path.join(options.model, "expected.json"), encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    for number, case in enumerate(cases):
        texts = [m["content"] for m in case["messages"]]
        system = texts.pop(0) if case["messages"][0]["role"] == "system" else ""
        ids = coder.encode(data.render_prompt(system, list(zip(texts[:-1:2], texts[1::2])), texts[-1]))
        right = ids == case["prompt_tokens"] and coder.decode(case["completion_tokens"]) == case["text"]
        line = f"{texts[-1]!r}: tokens {'agree' if right else 'DIFFER'}"
        if number < options.cases:
            logits = reference.logits(ids)
            worst = max(abs(a - b) for a, b in zip(logits, case["first_logits"]))
            line += f", logits differ by {worst:.1e} at most"
            right &= worst < TOLERANCE and logits.index(max(logits)) == case["completion_tokens"][0]
        print(line)
        failed |= not right
    return 3 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
