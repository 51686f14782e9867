"""The DeepSeek-V3 architecture in PyTorch: what is trained, and the reference for what is exported.

Multi-head latent attention, one or more dense layers, then mixture-of-experts layers with a sigmoid
router (selection bias, group-limited top-k) and a shared expert. All experts are computed for all
tokens as one wide matrix product and the router's weights zero the unchosen ones: at this size
that is faster than gathering and gives the same numbers. Weights are float32; `dtype` is what
products are computed in (bfloat16 to train, float32 to check); `ops` are fused.py's replacements of
the elementwise parts, for training. Shapes: B batch, T tokens, C hidden.
"""
import json
import math

import torch
import torch.nn.functional as F
from torch import nn


class RMSNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x, ops=None):
        if ops:
            return ops.norm(x, self.weight, self.eps)
        x = x.float()
        return x * (x.square().mean(-1, keepdim=True) + self.eps).rsqrt() * self.weight


def matrix(rows, columns, *lead, std=None):
    return nn.Parameter(torch.randn(*lead, rows, columns) * (std or columns ** -0.5))


def product(x, weight, dtype):
    return F.linear(x.to(dtype), weight.to(dtype))


def rope_frequencies(config):
    """Inverse frequencies of the rotated pairs, with YaRN's interpolation where configured."""
    dim, base = config["qk_rope_head_dim"], config["rope_theta"]
    inverse = 1.0 / base ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim)
    scaling = config.get("rope_scaling")
    if not scaling:
        return inverse
    original = scaling["original_max_position_embeddings"]

    def correction(rotations):
        return dim * math.log(original / (rotations * 2 * math.pi)) / (2 * math.log(base))

    low = max(math.floor(correction(scaling["beta_fast"])), 0)
    high = min(math.ceil(correction(scaling["beta_slow"])), dim - 1)
    ramp = (torch.arange(dim // 2, dtype=torch.float32) - low) / max(high - low, 0.001)
    keep = 1 - ramp.clamp(0, 1)
    return inverse / scaling["factor"] * (1 - keep) + inverse * keep


def rotate(x, cos, sin):
    """Rotates interleaved pairs (x0,x1),(x2,x3)… ; x is [..., T, dim], cos and sin are [T, dim/2]."""
    even, odd = x[..., 0::2].float(), x[..., 1::2].float()
    out = torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1)
    return out.flatten(-2).to(x.dtype)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        size, heads = c["hidden_size"], c["num_attention_heads"]
        self.heads, self.nope, self.rope = heads, c["qk_nope_head_dim"], c["qk_rope_head_dim"]
        self.value, self.rank = c["v_head_dim"], c["kv_lora_rank"]
        q_rank = c["q_lora_rank"]
        if q_rank:
            self.q_a = matrix(q_rank, size)
            self.q_norm = RMSNorm(q_rank, c["rms_norm_eps"])
        self.q_b = matrix(heads * (self.nope + self.rope), q_rank or size)
        self.kv_a = matrix(self.rank + self.rope, size)
        self.kv_norm = RMSNorm(self.rank, c["rms_norm_eps"])
        self.kv_b = matrix(heads * (self.nope + self.value), self.rank)
        self.o = matrix(size, heads * self.value, std=0.02)
        self.scale = (self.nope + self.rope) ** -0.5
        scaling = c.get("rope_scaling")
        if scaling:
            self.scale *= (0.1 * scaling["mscale_all_dim"] * math.log(scaling["factor"]) + 1) ** 2

    def forward(self, x, cos, sin, mask, cache, dtype, ops):
        b, t, _ = x.shape
        if hasattr(self, "q_a"):
            q = product(self.q_norm(product(x, self.q_a, dtype), ops), self.q_b, dtype)
        else:
            q = product(x, self.q_b, dtype)
        latent, k_rope = product(x, self.kv_a, dtype).split((self.rank, self.rope), -1)
        kv = product(self.kv_norm(latent, ops), self.kv_b, dtype)
        if ops:
            sizes = (self.heads, self.nope, self.rope, self.value, self.scale)
            return product(ops.attend(q, kv, k_rope, cos, sin, sizes), self.o, dtype)
        q = q.view(b, t, self.heads, self.nope + self.rope).transpose(1, 2)
        q_nope, q_rope = q.split((self.nope, self.rope), -1)
        kv = kv.view(b, t, self.heads, self.nope + self.value).transpose(1, 2)
        k_nope, v = kv.split((self.nope, self.value), -1)
        k_rope = rotate(k_rope, cos, sin).unsqueeze(1).expand(-1, self.heads, -1, -1)
        q = torch.cat((q_nope, rotate(q_rope, cos, sin)), -1)
        k = torch.cat((k_nope, k_rope), -1)
        if cache is not None:
            if "k" in cache:
                k, v = torch.cat((cache["k"], k), 2), torch.cat((cache["v"], v), 2)
            cache["k"], cache["v"] = k, v
        scores = (q * self.scale) @ k.transpose(-1, -2) + mask.to(dtype)
        out = torch.softmax(scores, -1) @ v
        return product(out.transpose(1, 2).reshape(b, t, -1), self.o, dtype)


class Mlp(nn.Module):
    def __init__(self, size, inner):
        super().__init__()
        self.gate_up = matrix(inner, size, 2)
        self.down = matrix(size, inner, std=0.02)

    def forward(self, x, dtype, ops):
        both = product(x, self.gate_up.flatten(0, 1), dtype)
        if ops:
            return product(ops.gate(both, None), self.down, dtype)
        gate, up = both.chunk(2, -1)
        return product(F.silu(gate) * up, self.down, dtype)


class Moe(nn.Module):
    def __init__(self, c):
        super().__init__()
        size, inner = c["hidden_size"], c["moe_intermediate_size"]
        self.experts, self.chosen = c["n_routed_experts"], c["num_experts_per_tok"]
        self.groups, self.kept_groups = c["n_group"], c["topk_group"]
        self.normalise, self.factor = c["norm_topk_prob"], c["routed_scaling_factor"]
        self.router = matrix(self.experts, size)
        self.register_buffer("bias", torch.zeros(self.experts))
        self.register_buffer("load", torch.zeros(self.experts))
        self.gate_up = matrix(inner, size, 2, self.experts)
        self.down = matrix(size, inner, self.experts, std=0.02)
        self.shared = Mlp(size, inner * c["n_shared_experts"]) if c["n_shared_experts"] else None

    def route(self, x):
        """Weights [tokens, experts], zero where an expert is not chosen."""
        scores = torch.sigmoid(F.linear(x.float(), self.router))
        choice = scores.detach() + self.bias
        if self.groups > 1:
            grouped = choice.view(-1, self.groups, self.experts // self.groups)
            best = grouped.topk(min(2, grouped.shape[-1]), -1)[0].sum(-1)
            kept = torch.zeros_like(best).scatter_(1, best.topk(self.kept_groups, -1)[1], 1.0)
            choice = choice.masked_fill(
                kept.repeat_interleave(self.experts // self.groups, 1) == 0, -math.inf)
        mask = torch.zeros_like(scores).scatter_(1, choice.topk(self.chosen, -1)[1], 1.0)
        if self.training:
            self.load += mask.sum(0)
        weights = scores * mask
        if self.normalise:
            weights = weights / (weights.sum(-1, keepdim=True) + 1e-20)
        return weights * self.factor

    def forward(self, x, dtype, ops):
        flat = x.flatten(0, -2)
        weights = self.route(flat).to(dtype)
        both = product(flat, self.gate_up.flatten(0, 2), dtype)
        if ops:
            inner = ops.gate(both, weights)
        else:
            gate, up = both.chunk(2, -1)
            inner = (F.silu(gate) * up).view(-1, self.experts, gate.shape[1] // self.experts)
            inner = (inner * weights.unsqueeze(-1)).flatten(1)
        out = product(inner, self.down.transpose(0, 1).flatten(1), dtype)
        if self.shared is not None:
            out = out + self.shared(flat, dtype, ops)
        return out.view_as(x)

    def balance(self, rate):
        """Moves the selection bias towards an even load (DeepSeek-V3's loss-free balancing)."""
        self.bias += rate * torch.sign(self.load.mean() - self.load)
        self.bias -= self.bias.min()
        self.load.zero_()


class Layer(nn.Module):
    def __init__(self, c, index):
        super().__init__()
        self.attention_norm = RMSNorm(c["hidden_size"], c["rms_norm_eps"])
        self.attention = Attention(c)
        self.mlp_norm = RMSNorm(c["hidden_size"], c["rms_norm_eps"])
        dense = index < c["first_k_dense_replace"]
        self.mlp = Mlp(c["hidden_size"], c["intermediate_size"]) if dense else Moe(c)

    def forward(self, x, cos, sin, mask, cache, dtype, ops):
        x = x + self.attention(self.attention_norm(x, ops), cos, sin, mask, cache, dtype, ops)
        return x + self.mlp(self.mlp_norm(x, ops), dtype, ops)


class Model(nn.Module):
    def __init__(self, config, dtype=torch.float32, ops=None):
        super().__init__()
        self.config, self.dtype, self.ops = config, dtype, ops
        size, vocab = config["hidden_size"], config["vocab_size"]
        self.embed = nn.Parameter(torch.randn(vocab, size) * 0.5)
        self.layers = nn.ModuleList(Layer(config, i) for i in range(config["num_hidden_layers"]))
        self.norm = RMSNorm(size, config["rms_norm_eps"])
        self.head = matrix(vocab, size, std=0.02)
        angles = torch.outer(torch.arange(config["max_position_embeddings"]).float(),
                             rope_frequencies(config))
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def hidden(self, tokens, caches=None, padding=None):
        """Hidden states [B, T, C]; `padding` [B] is the count of leading keys to hide."""
        t = tokens.shape[1]
        ops = self.ops if caches is None and padding is None else None
        past = caches[0]["k"].shape[2] if caches and "k" in caches[0] else 0
        mask = torch.full((t, past + t), -math.inf).triu(past + 1)
        if padding is not None:
            hide = torch.arange(past + t)[None, :] < padding[:, None]
            mask = mask[None, None].masked_fill(hide[:, None, None, :], -1e9)
        cos, sin = self.cos[past:past + t], self.sin[past:past + t]
        x = F.embedding(tokens, self.embed)
        for index, layer in enumerate(self.layers):
            x = layer(x, cos, sin, mask, caches[index] if caches else None, self.dtype, ops)
        return self.norm(x, ops)

    def forward(self, tokens, caches=None, padding=None):
        return product(self.hidden(tokens, caches, padding), self.head, self.dtype).float()

    @torch.no_grad()
    def generate(self, prompts, stop, limit):
        """Greedy continuations of lists of token ids, batched with padding on the left."""
        longest = max(map(len, prompts))
        padding = torch.tensor([longest - len(p) for p in prompts])
        tokens = torch.tensor([[stop] * (longest - len(p)) + list(p) for p in prompts])
        caches = [{} for _ in self.layers]
        outputs, alive = [[] for _ in prompts], [True] * len(prompts)
        limit = min(limit, self.config["max_position_embeddings"] - longest)
        for _ in range(limit):
            hidden = self.hidden(tokens, caches, padding)[:, -1]
            best = product(hidden, self.head, self.dtype).argmax(-1)
            for i, token in enumerate(best.tolist()):
                if alive[i]:
                    outputs[i].append(token)
                    alive[i] = token != stop
            if not any(alive):
                break
            tokens = best[:, None]
        return outputs


def load_config(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)
