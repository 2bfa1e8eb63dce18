"""HuBERT and wav2vec 2.0 base encoders of transformers, run with exact masks and plain operators.

Same arithmetic as `transformers` on a whole window (held by a test). Different on a padded one: group normalisation,
attention and pooling see only what comes before the trailing zeros, so that padding changes nothing.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from training.nets.masking import MASKED_SCORE, count_frames, make_mask, measure_length


class SpeechEncoder(nn.Module):  # type: ignore[misc]  # torch has no types here
    """The layers of a `HubertModel` or `Wav2Vec2Model` of the base kind (post-norm, group norm in the first layer)."""

    def __init__(self, model: Any) -> None:
        """Take the layers of a transformers model over.

        Args:
            model: HubertModel or Wav2Vec2Model.

        Raises:
            ValueError: it is not of the base kind.
        """
        super().__init__()
        config = model.config
        if config.feat_extract_norm != "group" or config.do_stable_layer_norm:
            raise ValueError(
                f"feat_extract_norm is {config.feat_extract_norm!r} and do_stable_layer_norm is "
                f"{config.do_stable_layer_norm}, allowed are 'group' and False: a base model"
            )
        self.feature_extractor = model.feature_extractor
        self.feature_projection = model.feature_projection
        self.encoder = model.encoder
        self.kernels: tuple[int, ...] = tuple(config.conv_kernel)
        self.strides: tuple[int, ...] = tuple(config.conv_stride)
        self.n_heads: int = config.num_attention_heads
        self.n_features: int = config.hidden_size
        self.n_layers: int = config.num_hidden_layers
        self.register_buffer("taps", torch.eye(self.kernels[0])[:, None, :], persistent=False)

    def forward(self, waveform: Any) -> tuple[list[Any], Any]:
        """Return the hidden states of every layer and the mask of their frames.

        Args:
            waveform: float32 (batch, n_samples), 16 kHz, at least 400 samples.

        Returns:
            The input of the first layer and the output of each, float32 (batch, n_frames, n_features), and the mask,
            float32 (batch, n_frames).
        """
        n_valid = measure_length(waveform)
        features, n_valid = self._extract(waveform[:, None, :], n_valid)
        projection = self.feature_projection(features.transpose(1, 2))
        hidden = projection[0] if isinstance(projection, tuple) else projection
        mask = make_mask(n_valid, hidden.shape[1])
        hidden = hidden * mask[:, :, None]
        hidden = hidden + self.encoder.pos_conv_embed(hidden)
        hidden = self.encoder.dropout(self.encoder.layer_norm(hidden))
        score_bias = (1.0 - mask[:, None, None, :]) * MASKED_SCORE
        states = [hidden]
        for layer in self.encoder.layers:
            states.append(self._run_layer(layer, states[-1], score_bias))
        return states, mask

    def _extract(self, x: Any, n_valid: Any) -> tuple[Any, Any]:
        first, *others = self.feature_extractor.conv_layers
        n_valid = count_frames(n_valid, self.kernels[0], self.strides[0])
        scale, shift = self._measure_norm(first, x, n_valid)
        x = first.activation(first.conv(x) * scale + shift)
        for layer, kernel, stride in zip(others, self.kernels[1:], self.strides[1:], strict=True):
            x = layer.activation(layer.conv(x))
            n_valid = count_frames(n_valid, kernel, stride)
        return x, n_valid

    def _measure_norm(self, layer: Any, x: Any, n_valid: Any) -> tuple[Any, Any]:
        """Return group normalisation over the unmasked frames as one scale and shift, float32 (batch, channels, 1).

        The convolution is linear, so mean and variance of each channel follow from mean and covariance of the few
        samples under its kernel: far cheaper than passes over its output.
        """
        frames = F.conv1d(x, self.taps, stride=self.strides[0])
        mask = make_mask(n_valid, frames.shape[-1])[:, None, :]
        count = n_valid[:, :, None]
        mean = frames @ mask.transpose(1, 2) / count
        centred = (frames - mean) * mask
        covariance = centred @ centred.transpose(1, 2) / count
        weight = layer.conv.weight[:, 0, :]
        # Products, not sums over an axis: those may take another order when more windows share the batch.
        variance = ((weight[None] @ covariance)[:, :, None, :] @ weight[:, :, None])[:, :, :, 0]
        channel_mean = weight[None] @ mean
        if layer.conv.bias is not None:
            channel_mean = channel_mean + layer.conv.bias[None, :, None]
        norm = layer.layer_norm
        scale = norm.weight[None, :, None] / torch.sqrt(torch.clamp(variance, min=0.0) + norm.eps)
        return scale, norm.bias[None, :, None] - channel_mean * scale

    def _attend(self, attention: Any, x: Any, score_bias: Any) -> Any:
        """Return multi-head self-attention, written out so that the exported MatMuls stay visible."""
        batch, n_frames, _ = x.shape
        heads = (batch, n_frames, self.n_heads, self.n_features // self.n_heads)
        query = attention.q_proj(x).reshape(heads).transpose(1, 2)
        key = attention.k_proj(x).reshape(heads).permute(0, 2, 3, 1)
        value = attention.v_proj(x).reshape(heads).transpose(1, 2)
        scores = query @ key / math.sqrt(heads[-1]) + score_bias
        weights = F.dropout(torch.softmax(scores, dim=-1), attention.dropout, training=self.training)
        return attention.out_proj((weights @ value).transpose(1, 2).reshape(batch, n_frames, self.n_features))

    def _run_layer(self, layer: Any, x: Any, score_bias: Any) -> Any:
        x = layer.layer_norm(x + layer.dropout(self._attend(layer.attention, x, score_bias)))
        return layer.final_layer_norm(x + layer.feed_forward(x))


def fold_parametrisations(net: Any) -> Any:
    """Replace weight normalisation by the weights that it gives, in place: constants that int8 can be measured on."""
    for module in net.modules():
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
    return net
