"""T5's relative positions (Raffel et al., 2020, section 2.1): a number for each distance and head, added to the scores.

Shape suffixes as in attention.py.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lmcli.models.device import working


class RelativeBias(nn.Module):
    """Distances share a number in buckets: near ones have one each, far ones more and more together."""

    def __init__(self, heads: int, buckets: int, farthest: int, *, both: bool) -> None:
        """`both`: keys after the query get buckets of their own, half of them."""
        super().__init__()
        self.buckets, self.farthest, self.both = buckets, farthest, both
        self.table = nn.Parameter(torch.empty(buckets, heads))

    def forward(self, positions: int, keys: int) -> Tensor:
        """(1, h, t, s) for queries that are the last `positions` of `keys`, in the precision of matrix products.

        Row t begins with the distance of the first key, -(keys - positions + t), so that all rows are windows into one
        list of numbers by distance.
        """
        if torch.compiler.is_exporting():  # windows have a length of their own, which a graph would be fixed to
            places = torch.arange(keys, device=self.table.device)
            distances_ts = places - places[keys - positions :, None]
            found_tsh = self.table[bucket_of(distances_ts, self.buckets, self.farthest, both=self.both)]
            return working(found_tsh.permute(2, 0, 1)[None])
        distances = torch.arange(1 - keys, positions, device=self.table.device)
        by_distance_hn = self.table[bucket_of(distances, self.buckets, self.farthest, both=self.both)].T
        return working(by_distance_hn.unfold(1, keys, 1).flip(1)[None])


def bucket_of(distances: Tensor, buckets: int, farthest: int, *, both: bool) -> Tensor:
    """The bucket of each distance (key's place minus query's), as in Mesh TensorFlow's `_relative_position_bucket`.

    Half of the buckets are for single distances, the rest for ranges that grow by a factor up to `farthest`, whose
    bucket holds all beyond it too. Without `both`, keys after the query count as distance 0.
    """
    if both:
        buckets //= 2
        after = torch.where(distances > 0, buckets, 0)
        distances = distances.abs()
    else:
        after = torch.zeros_like(distances)
        distances = -distances.clamp(max=0)
    single = buckets // 2
    ratios = distances.clamp(min=single).float() / single
    ranges = single + (torch.log(ratios) / math.log(farthest / single) * (buckets - single)).long()
    return after + torch.where(distances < single, distances, ranges.clamp(max=buckets - 1))
