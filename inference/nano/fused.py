"""Autograd functions over fused.c, and how they are compiled. Training only, bfloat16 only.

`load()` compiles fused.c with the system's C compiler into the given folder and returns the
operations that model.py takes in place of its own; None where there is no compiler.
`python3 fused.py` checks values and gradients against PyTorch's own operations.
"""
import ctypes
import os
import shutil
import subprocess
import tempfile

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
LIBRARY = None


def load(folder=None):
    global LIBRARY
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    source = os.path.join(HERE, "fused.c")
    target = os.path.join(folder or tempfile.mkdtemp(), "fused.so")
    if not os.path.exists(target) or os.path.getmtime(target) < os.path.getmtime(source):
        subprocess.run([compiler, "-O3", "-march=native", "-ffast-math", "-fopenmp", "-shared", "-fPIC",
                        "-o", target, source, "-lm"], check=True)
    LIBRARY = ctypes.CDLL(target)
    LIBRARY.CrossEntropy.restype = ctypes.c_double
    return Fused


def call(name, *arguments):
    """Tensors go as pointers, ints as long, floats as float."""
    kinds = {int: ctypes.c_long, float: ctypes.c_float, bool: ctypes.c_int, type(None): ctypes.c_void_p}
    return getattr(LIBRARY, name)(*(
        ctypes.c_void_p(a.data_ptr()) if isinstance(a, torch.Tensor) else kinds[type(a)](a)
        for a in arguments))


class Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, eps):
        d = x.shape[-1]
        n, stride, narrow = x.numel() // d, x.stride(-2), x.dtype == torch.bfloat16
        y = torch.empty(x.shape, dtype=torch.bfloat16)
        scales = torch.empty(n)
        call("NormForward", x, narrow, stride, weight, y, scales, n, d, eps)
        ctx.save_for_backward(x, weight, scales)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, weight, scales = ctx.saved_tensors
        d = x.shape[-1]
        dx, dw = torch.empty(x.shape, dtype=x.dtype), torch.zeros_like(weight)
        call("NormBackward", x, x.dtype == torch.bfloat16, x.stride(-2), weight, scales,
             dy.contiguous(), dx, dw, x.numel() // d, d)
        return dx, dw, None


class Gate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weights):
        d = x.shape[-1] // 2
        experts = 1 if weights is None else weights.shape[-1]
        y = torch.empty(*x.shape[:-1], d, dtype=torch.bfloat16)
        call("GateForward", x, weights, y, x.numel() // (2 * d), experts, d // experts)
        ctx.save_for_backward(x, weights)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, weights = ctx.saved_tensors
        d = x.shape[-1] // 2
        experts = 1 if weights is None else weights.shape[-1]
        dx = torch.empty_like(x)
        dweights = None if weights is None else torch.empty_like(weights)
        call("GateBackward", x, weights, dy.contiguous(), dx, dweights, x.numel() // (2 * d), experts,
             d // experts)
        return dx, dweights


class Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, kv, k_rope, cos, sin, sizes):
        heads, nope, rope, value, scale = sizes
        b, t = q.shape[:2]
        big_q, big_k = torch.empty(2, b * heads, t, nope + rope, dtype=torch.bfloat16)
        big_v = torch.empty(b * heads, t, value, dtype=torch.bfloat16)
        call("PackHeads", q, kv, k_rope, k_rope.stride(-2), cos, sin, big_q, big_k, big_v, b, t, heads,
             nope, rope, value, scale)
        weights = torch.bmm(big_q, big_k.transpose(1, 2)).contiguous()
        call("SoftmaxForward", weights, b * heads, t)
        out = torch.bmm(weights, big_v)
        ctx.save_for_backward(big_q, big_k, big_v, weights, cos, sin)
        ctx.sizes = sizes
        return out.view(b, heads, t, value).transpose(1, 2).reshape(b, t, heads * value)

    @staticmethod
    def backward(ctx, dout):
        big_q, big_k, big_v, weights, cos, sin = ctx.saved_tensors
        heads, nope, rope, value, scale = ctx.sizes
        b, t = dout.shape[:2]
        dout = dout.reshape(b, t, heads, value).transpose(1, 2).reshape(b * heads, t, value).contiguous()
        dv = torch.bmm(weights.transpose(1, 2), dout).contiguous()
        dscores = torch.bmm(dout, big_v.transpose(1, 2)).contiguous()
        call("SoftmaxBackward", weights, dscores, b * heads, t)
        dq = torch.bmm(dscores, big_k).contiguous()
        dk = torch.bmm(dscores.transpose(1, 2), big_q).contiguous()
        out_q = torch.empty(b, t, heads * (nope + rope), dtype=torch.bfloat16)
        out_kv = torch.empty(b, t, heads * (nope + value), dtype=torch.bfloat16)
        out_rope = torch.empty(b, t, rope, dtype=torch.bfloat16)
        call("PackHeadsBackward", dq, dk, dv, cos, sin, out_q, out_kv, out_rope, b, t, heads, nope, rope,
             value, scale)
        return out_q, out_kv, out_rope, None, None, None


class CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, targets):
        gradient = logits.contiguous().clone()
        loss = call("CrossEntropy", gradient, targets.contiguous(), *logits.shape)
        ctx.save_for_backward(gradient)
        return torch.tensor(loss)

    @staticmethod
    def backward(ctx, scale):
        return ctx.saved_tensors[0] * scale.to(torch.bfloat16), None


class Fused:
    norm = Norm.apply
    gate = Gate.apply
    attend = Attend.apply
    cross_entropy = CrossEntropy.apply


def check():
    """Prints the relative difference of the loss and of every gradient, fused against plain."""
    from model import Model, load_config
    from train import loss_of
    torch.manual_seed(0)
    config = load_config(os.path.join(HERE, "config.json"))
    plain, fast = Model(config), Model(config, torch.bfloat16, load())
    fast.load_state_dict(plain.state_dict())
    tokens, targets = torch.randint(0, config["vocab_size"], (2, 4, 37))
    for model in (plain, fast):
        loss = loss_of(model, tokens, targets)
        loss.backward()
        print(f"loss {loss.item():.5f}")
    for (name, a), b in zip(plain.named_parameters(), fast.parameters()):
        difference = (a.grad - b.grad).norm() / (a.grad.norm() + 1e-12)
        print(f"{difference:.4f} {name}")


if __name__ == "__main__":
    check()
