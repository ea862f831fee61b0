"""What BERT and its followers share: tables of tokens, positions and segments, blocks with a norm after each sum.

Shape suffixes as in attention.py, and e for the width of the tables.
"""

from __future__ import annotations

from typing import Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmcli.models import bert_files, neighbours, post_norm
from lmcli.models.device import working
from lmcli.models.dropping import Dropout
from lmcli.models.encoder import Encoder
from lmcli.models.encoder_shape import EncoderShape
from lmcli.models.heads import Head
from lmcli.models.layers import Linear
from lmcli.models.model import Sight
from lmcli.models.norms import LayerNorm
from lmcli.models.shape import Shape


class PostNormEncoder(Encoder):
    """Learned positions and segments, a norm after each half of a block, GELU, biases (Devlin et al., 2018).

    `dropout` acts on the embedding and on what each half of a block adds, in training mode only.
    """

    ties = True

    def __init__(self, shape: Shape, dropout: float = 0.0, tables: PostNormEncoder | None = None) -> None:
        """`tables` is the model whose vectors for tokens, positions and segments, and their norm, this one shares."""
        super().__init__()
        own = cast(EncoderShape, shape)
        self.shape = shape
        self.drop = Dropout(dropout)
        if tables is None:
            self.embedding = nn.Parameter(torch.empty(shape.vocab_size, own.table_width))
            self.positions = nn.Parameter(torch.empty(own.position_rows, own.table_width))
            self.types = nn.Parameter(torch.empty(own.types, own.table_width))
            self.embedding_norm = LayerNorm(own.table_width, shape.norm_eps)
        else:
            self.embedding, self.positions, self.types = tables.embedding, tables.positions, tables.types
            self.embedding_norm = tables.embedding_norm
        self.project = (
            nn.Identity() if own.table_width == shape.width else Linear(own.table_width, shape.width, bias=True)
        )
        self.blocks = nn.ModuleList(post_norm.Block(shape, dropout) for _ in range(shape.depth))

    def hidden(
        self,
        tokens_bt: Tensor,
        real_bt: Tensor | None = None,
        types_bt: Tensor | None = None,
        sight: Sight = "both",
    ) -> Tensor:
        x_bte = F.embedding(tokens_bt, self.embedding) + self._segments(types_bt) + self._positions(tokens_bt)
        x_bte = self.embedding_norm(working(x_bte))
        x_bte = self.drop(x_bte)
        return post_norm.through_blocks(self, self.project(x_bte), real_bt, sight)

    def _segments(self, types_bt: Tensor | None) -> Tensor:
        return self.types[0] if types_bt is None else F.embedding(types_bt, self.types)

    def _positions(self, tokens_bt: Tensor) -> Tensor:
        return self.positions[: tokens_bt.shape[1]]

    def initialise(self, seed: int) -> Self:
        post_norm.initialise(self, seed)
        neighbours.place(self.positions, (self.embedding, self.types))
        self.look_around()
        return self

    @torch.no_grad()
    def look_around(self) -> None:
        """Let the heads begin with what lies beside a position."""
        if isinstance(self.project, Linear):
            neighbours.pass_on(self.project.weight, self.positions.shape[1])
        attentions = (cast(post_norm.Block, block).attention for block in self.blocks)
        neighbours.look(attentions, self.positions, neighbours.BOTH_SIDES)

    def hf_ignored(self, name: str) -> bool:
        return bert_files.follows_from_config(name)

    def hf_renamed(self, name: str) -> str:
        return bert_files.renamed(name)


class MaskFiller(PostNormEncoder):
    """With a head that tells the token at a position: a layer of its own, its norm, then the embedding and a bias."""

    def __init__(self, shape: Shape, dropout: float = 0.0, tables: PostNormEncoder | None = None) -> None:
        super().__init__(shape, dropout, tables)
        width = self.embedding.shape[1]
        self.transform = Linear(shape.width, width, bias=True)
        self.transform_norm = LayerNorm(width, shape.norm_eps)
        self.bias = nn.Parameter(torch.empty(shape.vocab_size))

    @property
    def output(self) -> Head:
        return Head(self.embedding, self.bias)

    def before_output(self, hidden: Tensor) -> Tensor:
        return self.transform_norm(F.gelu(self.transform(hidden)))  # type: ignore[no-any-return]
