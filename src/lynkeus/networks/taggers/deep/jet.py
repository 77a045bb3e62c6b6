"""DeepJet (Bols et al. 2020, arXiv:2008.10519): each particle through 1x1 convolutions, each collection through an
LSTM, what they say and the jet as a whole through a dense network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from lynkeus.networks.taggers.deep.collections import Collection, dense, leading, of_jets, places_of
from lynkeus.networks.taggers.ragged import Group, Groups, jet_of, lengths_of


@dataclass(frozen=True)
class Read:
    """A collection, the widths of the 1x1 `convolutions` of its particles, and of the `memory` of its LSTM.

    `last_norm`: normalisation and dropout follow the last convolution as well. They do not as published; models that
    were saved before that was seen have them.
    """

    collection: Collection
    convolutions: tuple[int, ...]
    memory: int
    last_norm: bool = False


@dataclass(frozen=True)
class DeepJetSizes:
    """`whole`: features of the group "global"; `reads`: the collections; `dense`: widths of the layers after them."""

    whole: int
    reads: tuple[Read, ...]
    dense: tuple[int, ...] = (200, *[100] * 7)
    dropout: float = 0.1


def published(whole: int, charged: int, neutral: int, vertices: int) -> DeepJetSizes:
    """Return the published sizes for so many features: 25 charged and 25 neutral particles, 4 vertices."""
    return DeepJetSizes(
        whole,
        (
            Read(Collection("charged", charged, 25), (64, 32, 32, 8), 150),
            Read(Collection("neutral", neutral, 25), (32, 16, 4), 50),
            Read(Collection("vertices", vertices, 4), (64, 32, 32, 8), 50),
        ),
    )


class Sequence(nn.Module):
    """The leading rows of a collection to (n, memory): the LSTM reads them from the last to the leading one, and never
    what a jet does not have."""

    def __init__(self, read: Read, dropout: float) -> None:
        super().__init__()
        self.read = read
        self.norm = nn.BatchNorm1d(read.collection.features)
        self.convolutions = dense((read.collection.features, *read.convolutions), dropout, read.last_norm)
        self.lstm = nn.LSTM(read.convolutions[-1], read.memory)
        self.after = nn.Sequential(nn.BatchNorm1d(read.memory), nn.Dropout(dropout))

    def forward(self, group: Group) -> Tensor:
        """Return (n, memory) of leading rows, packed; 0 before normalisation where a jet has none."""
        values, offsets = group
        said = values.new_zeros(len(offsets) - 1, self.read.memory)
        if len(values):
            sequence, jets = backwards((self.convolutions(self.norm(values)), offsets))
            said = said.index_copy(0, jets, self.lstm(sequence)[1][0][0])
        after: Tensor = self.after(said)
        return after


def backwards(group: Group) -> tuple[PackedSequence, Tensor]:
    """Return the rows of all jets that have any, each jet from its last row to its first, as an LSTM reads them without
    padding, and the jets in the order of its results."""
    values, offsets = group
    lengths = lengths_of(offsets)
    order = torch.argsort(lengths, descending=True, stable=True)
    jets = order[: int((lengths > 0).sum())]
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device)
    jet = jet_of(offsets)
    step = lengths[jet] - 1 - places_of(offsets)
    rows = torch.argsort(step * len(order) + rank[jet])
    return PackedSequence(values[rows], torch.bincount(step).cpu()), jets


class DeepJet(nn.Module):
    """Jets to logits (n, classes), from the group "global" (one row a jet) and a group for each collection."""

    def __init__(self, classes: int, sizes: DeepJetSizes) -> None:
        super().__init__()
        self.sizes, self.classes = sizes, classes
        self.whole_norm = nn.BatchNorm1d(sizes.whole)
        self.sequences = nn.ModuleList(Sequence(read, sizes.dropout) for read in sizes.reads)
        widths = (sizes.whole + sum(read.memory for read in sizes.reads), *sizes.dense)
        self.dense = nn.Sequential(dense(widths, sizes.dropout), nn.Linear(widths[-1], classes))

    def forward(self, groups: Groups) -> Tensor:
        """Return logits (n, classes) of jets."""
        found = [self.whole_norm(of_jets(groups, "global"))]
        found += [
            sequence(leading(groups, read.collection))
            for read, sequence in zip(self.sizes.reads, self.sequences, strict=True)
        ]
        logits: Tensor = self.dense(torch.cat(found, dim=1))
        return logits
