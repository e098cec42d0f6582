"""Reads the GGUF file back and runs it with NumPy, as a check that does not share the trainer's code."""

from pathlib import Path

import gguf
import numpy as np


class Reader:
    """A llama model out of a GGUF file: one sequence, the likeliest token each time."""

    def __init__(self, file: Path) -> None:
        read = gguf.GGUFReader(str(file))
        self.weights = {one.name: gguf.quants.dequantize(one.data, one.tensor_type).astype(np.float32) for one in read.tensors}
        self.fields = {name: field.contents() for name, field in read.fields.items()}
        self.layers = self.fields["llama.block_count"]
        self.heads = self.fields["llama.attention.head_count"]
        self.kv_heads = self.fields["llama.attention.head_count_kv"]
        self.epsilon = self.fields["llama.attention.layer_norm_rms_epsilon"]
        width = self.fields["llama.rope.dimension_count"]
        self.rates = self.fields["llama.rope.freq_base"] ** (-np.arange(0, width, 2, dtype=np.float32) / width)

    def says(self, prompt: list[int], said: list[int]) -> bool:
        """Whether `said` are the likeliest tokens after `prompt`, each after those before it."""
        likeliest = self.logits(prompt + said[:-1]).argmax(-1)
        return bool((likeliest[len(prompt) - 1 :] == said).all())

    def logits(self, tokens: list[int]) -> np.ndarray:
        """Scores of all tokens after each of `tokens`."""
        w = self.weights
        x = w["token_embd.weight"][tokens]
        angles = np.arange(len(tokens), dtype=np.float32)[:, None] * self.rates
        later = np.triu(np.full((len(tokens), len(tokens)), -np.inf, dtype=np.float32), 1)
        for number in range(self.layers):
            name = f"blk.{number}."
            h = self._norm(x, w[name + "attn_norm.weight"])
            q = self._turned(self._heads(h @ w[name + "attn_q.weight"].T, self.heads), angles)
            k = self._turned(self._heads(h @ w[name + "attn_k.weight"].T, self.kv_heads), angles)
            v = self._heads(h @ w[name + "attn_v.weight"].T, self.kv_heads)
            groups = self.heads // self.kv_heads
            scores = q @ k.repeat(groups, 0).transpose(0, 2, 1) / np.sqrt(q.shape[-1]) + later
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            seen = (scores / scores.sum(-1, keepdims=True)) @ v.repeat(groups, 0)
            x = x + seen.transpose(1, 0, 2).reshape(len(tokens), -1) @ w[name + "attn_output.weight"].T
            h = self._norm(x, w[name + "ffn_norm.weight"])
            gate = h @ w[name + "ffn_gate.weight"].T
            gate = gate / (1 + np.exp(-gate))
            x = x + (gate * (h @ w[name + "ffn_up.weight"].T)) @ w[name + "ffn_down.weight"].T
        return self._norm(x, w["output_norm.weight"]) @ w["token_embd.weight"].T

    def _norm(self, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.epsilon) * weight

    @staticmethod
    def _heads(y: np.ndarray, count: int) -> np.ndarray:
        return y.reshape(len(y), count, -1).transpose(1, 0, 2)

    @staticmethod
    def _turned(x: np.ndarray, angles: np.ndarray) -> np.ndarray:
        even, odd, cos, sin = x[..., 0::2], x[..., 1::2], np.cos(angles), np.sin(angles)
        return np.stack((even * cos - odd * sin, even * sin + odd * cos), -1).reshape(x.shape).astype(np.float32)
