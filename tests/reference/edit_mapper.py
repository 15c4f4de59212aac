"""MGIE's edit head, built from torch.nn.Transformer: eight projected tokens as source, 77 learned queries as target."""

import torch
from torch import nn


class EditMapper(nn.Module):
    """(B, 8, llm) visual tokens and (1, 8, llm) embeddings of [IMG0..7] → (B, 77, feature) conditioning."""

    def __init__(self, llm, width, feed_forward, feature, heads=4, layers=4, length=77):
        super().__init__()
        self.llm2hid = nn.Linear(llm, width)
        self.query = nn.Parameter(torch.zeros(1, length, width))
        self.mapper = nn.Transformer(
            d_model=width, nhead=heads, num_encoder_layers=layers, num_decoder_layers=layers,
            dim_feedforward=feed_forward, dropout=0.0, batch_first=True, norm_first=True,
        )
        self.hid2feat = nn.Linear(width, feature)

    def forward(self, visual_tokens, img_embeddings):
        source = self.llm2hid(visual_tokens + img_embeddings)
        target = self.query.expand(source.shape[0], -1, -1)
        return self.hid2feat(self.mapper(source, target))

    @classmethod
    def from_tensors(cls, tensors):
        """Sizes are read from the tensors' shapes: there is no config file."""
        width, llm = tensors["llm2hid.weight"].shape
        feed_forward = tensors["mapper.encoder.layers.0.linear1.weight"].shape[0]
        head = cls(llm, width, feed_forward, tensors["hid2feat.weight"].shape[0], length=tensors["query"].shape[1])
        head.load_state_dict(tensors)
        return head.eval()
