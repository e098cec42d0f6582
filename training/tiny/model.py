"""The model: llama's architecture with tied embeddings, as small as the task allows."""

from dataclasses import dataclass

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """How large it is."""

    vocabulary: int = 2048
    dim: int = 128
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    hidden: int = 384
    context: int = 2048
    rope_base: float = 10_000.0
    epsilon: float = 1e-5

    @property
    def head_dim(self) -> int:
        """Width of one head."""
        return self.dim // self.heads


class Norm(nn.Module):
    """RMSNorm."""

    def __init__(self, dim: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis."""
        return nnf.rms_norm(x, self.weight.shape, self.weight, self.epsilon)


def turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """RoPE over neighbouring pairs (2i, 2i + 1), as llama.cpp's llama has it. `x` is batch, heads, length, head_dim."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)


class Block(nn.Module):
    """Attention and SwiGLU, each behind its norm."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        kv = shape.kv_heads * shape.head_dim
        self.attn_norm = Norm(shape.dim, shape.epsilon)
        self.attn_q = nn.Linear(shape.dim, shape.dim, bias=False)
        self.attn_k = nn.Linear(shape.dim, kv, bias=False)
        self.attn_v = nn.Linear(shape.dim, kv, bias=False)
        self.attn_output = nn.Linear(shape.dim, shape.dim, bias=False)
        self.ffn_norm = Norm(shape.dim, shape.epsilon)
        self.ffn_gate = nn.Linear(shape.dim, shape.hidden, bias=False)
        self.ffn_up = nn.Linear(shape.dim, shape.hidden, bias=False)
        self.ffn_down = nn.Linear(shape.hidden, shape.dim, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, dropout: float, past: list[Tensor] | None) -> Tensor:
        """One layer. `past` holds keys and values of earlier tokens, and gets those of these."""
        batch, length, _ = x.shape
        h = self.attn_norm(x)

        def heads(y: Tensor, count: int) -> Tensor:
            return y.view(batch, length, count, self.shape.head_dim).transpose(1, 2)

        q = turned(heads(self.attn_q(h), self.shape.heads), cos, sin)
        k = turned(heads(self.attn_k(h), self.shape.kv_heads), cos, sin)
        v = heads(self.attn_v(h), self.shape.kv_heads)
        if past is not None:
            if past:
                k, v = torch.cat((past[0], k), 2), torch.cat((past[1], v), 2)
            past[:] = [k, v]
        groups = self.shape.heads // self.shape.kv_heads
        k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        said = nnf.scaled_dot_product_attention(q, k, v, is_causal=length > 1)
        said = self.attn_output(said.transpose(1, 2).reshape(batch, length, self.shape.dim))
        x = x + nnf.dropout(said, dropout, self.training)
        h = self.ffn_norm(x)
        said = self.ffn_down(nnf.silu(self.ffn_gate(h)) * self.ffn_up(h))
        return x + nnf.dropout(said, dropout, self.training)


class Tiny(nn.Module):
    """The whole model."""

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape, self.dropout = shape, dropout
        self.token_embd = nn.Embedding(shape.vocabulary, shape.dim)
        self.blk = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.output_norm = Norm(shape.dim, shape.epsilon)
        rates = shape.rope_base ** (-torch.arange(0, shape.head_dim, 2).float() / shape.head_dim)
        angles = torch.arange(shape.context).float()[:, None] * rates
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                deviation = 0.02 if "token_embd" in name else weight.shape[1] ** -0.5
                if name.endswith(("attn_output.weight", "ffn_down.weight")):
                    deviation /= (2 * shape.layers) ** 0.5
                nn.init.normal_(weight, std=deviation)

    def states(self, tokens: Tensor, places: Tensor, past: list[list[Tensor]] | None = None) -> Tensor:
        """What is known at each token, before it becomes logits. `places` are the positions, of the form of `tokens`."""
        cos, sin = self.cos[places].unsqueeze(1), self.sin[places].unsqueeze(1)
        x = nnf.dropout(self.token_embd(tokens), self.dropout, self.training)
        for number, block in enumerate(self.blk):
            x = block(x, cos, sin, self.dropout, None if past is None else past[number])
        return self.output_norm(x)

    def logits(self, states: Tensor) -> Tensor:
        """Scores of all tokens; the embeddings serve again."""
        return states @ self.token_embd.weight.T

    @torch.no_grad()
    def answer(self, prompt: list[int], end: int, most: int = 120) -> list[int]:
        """The likeliest tokens after `prompt`."""
        self.eval()
        past: list[list[Tensor]] = [[] for _ in self.blk]
        said: list[int] = []
        tokens, place = torch.tensor([prompt]), 0
        while len(said) < most:
            places = torch.arange(place, place + tokens.shape[1])[None]
            place += tokens.shape[1]
            token = int(self.logits(self.states(tokens, places, past)[0, -1]).argmax())
            if token == end:
                break
            said.append(token)
            tokens = torch.tensor([[token]])
        return said
