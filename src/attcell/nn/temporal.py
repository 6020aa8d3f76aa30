"""What weights the segments of a video: k and β of STAN's Eq. 7, in the paper's way and in others.

Each takes the segments f_att (B, T, MD) and gives the raw scores k and the attention β, their softmax over
the segments. :class:`TemporalAttention` is the paper's, :class:`EncoderDecoder` what its last section
proposes. Their plain rivals are :class:`SelfAttention`, an :class:`~attcell.nn.attention.AttCell` on the
segments themselves, and :class:`~attcell.nn.attention.UniformAttention`, which is none.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attcell.choices import SELF_ATTENTION_HEADS, AttentionForm, DecoderScore
from attcell.nn.attention import AttCell

Memory = tuple[Tensor, Tensor]  # an LSTM's output and cell


class TemporalAttention(nn.Module):
    """An LSTM over the segments f_att and an AttCell on its outputs h (STAN Eq. 7)::

        h_t = LSTM(f_att^1, …, f_att^t)
        k_t = Wᵀ h_t + b
        β_t = exp(k_t) / Σ_u exp(k_u)

    *Reading* ``layers``, ``bidirectional``: one layer and one direction; PyTorch's LSTM has no peepholes.
    """

    def __init__(
        self,
        dim: int,
        hidden: int = 1024,
        *,
        layers: int = 1,
        bidirectional: bool = False,
        form: AttentionForm = "linear",
        uniform_start: bool = True,
    ) -> None:
        super().__init__()
        self.lstm = nn.LSTM(dim, hidden, layers, batch_first=True, bidirectional=bidirectional)
        outputs = 2 * hidden if bidirectional else hidden
        self.attention = AttCell(outputs, form=form, uniform_start=uniform_start)

    def forward(self, segments: Float[Tensor, "B T MD"]) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B T"]]:
        """The raw scores k and the attention β over the segments."""
        scores, attention, _ = self.go_on(segments, None)
        return scores, attention

    def go_on(
        self, segments: Float[Tensor, "B T MD"], memory: Memory | None
    ) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B T"], Memory]:
        """The same for the next segments of a longer row, and the LSTM's memory; the attention is over these
        segments alone.

        Args:
            segments: those that follow.
            memory: what the LSTM remembers of the segments before; None at the beginning.
        """
        outputs, memory = self.lstm(segments, memory)
        return (*self.attention(outputs), memory)


class AdditiveScore(nn.Module):
    """How much each output h_t of the encoder counts for a state s of the decoder (Bahdanau et al. 2015)::

        k_t = vᵀ tanh(W s + U h_t)

    Args:
        outputs: numbers of h.
        states: numbers of s, and of v.
        uniform_start: v starts at zero, so that attention starts uniform.
    """

    def __init__(self, outputs: int, states: int, *, uniform_start: bool = True) -> None:
        super().__init__()
        self.key = nn.Linear(outputs, states, bias=False)  # U
        self.query = nn.Linear(states, states, bias=False)  # W
        self.score = nn.Linear(states, 1, bias=False)  # v
        if uniform_start:
            nn.init.zeros_(self.score.weight)

    def forward(
        self, outputs: Float[Tensor, "B T E"], states: Float[Tensor, "B Q S"]
    ) -> Float[Tensor, "B Q T"]:
        """The raw scores of every output for every state."""
        both = self.key(outputs)[:, None] + self.query(states)[:, :, None]
        return self.score(torch.tanh(both)).squeeze(-1)


class DotScore(nn.Module):
    """The same as a dot product, Luong et al.'s (2015) *general*, which compares numbers of two sizes::

        k_t = sᵀ W h_t

    ``uniform_start``: W starts at zero. Their *dot*, without W, cannot start uniform.
    """

    def __init__(self, outputs: int, states: int, *, uniform_start: bool = True) -> None:
        super().__init__()
        self.key = nn.Linear(outputs, states, bias=False)  # W
        if uniform_start:
            nn.init.zeros_(self.key.weight)

    def forward(
        self, outputs: Float[Tensor, "B T E"], states: Float[Tensor, "B Q S"]
    ) -> Float[Tensor, "B Q T"]:
        """The raw scores of every output for every state."""
        return states @ self.key(outputs).transpose(1, 2)


class EncoderDecoder(nn.Module):
    """An encoder over the segments f_att, and a decoder that asks its outputs::

        h_1 … h_T, e = LSTM(f_att^1, …, f_att^T)
        s_0 = tanh(W_0 e + b_0)
        s = GRU(x, s_0)
        k_t = vᵀ tanh(W s + U h_t)    or    k_t = sᵀ W h_t
        β_t = exp(k_t) / Σ_u exp(k_u)

    k and β stand for those of Eq. 7. e is the LSTM's last output, of two directions the last of each side by
    side; x is learnt. So what a segment counts depends on the whole video, and not on what came before alone.

    With ``num_classes`` the decoder takes one step a class a, from an x^a, and so has an s^a, k^a and β^a.
    Eq. 8 is then one a class, and the classifier's row of a class (w_a, b_a) sees this class's::

        f_att(a) = Σ_t β_t^a f_att^t
        logit_a = w_aᵀ f_att(a) + b_a = Σ_t β_t^a (w_aᵀ f_att^t + b_a)

    which is the mean of the segments' own logits of a, weighted by β^a. Where all β^a are alike it is Eq. 8.

    *Reading* throughout: the paper says "RNN in an encoder-decoder manner" alone. Each class's step starts
    from s_0, and not from the step of the class before, since classes have no order.

    Args:
        dim: MD.
        hidden: numbers of the LSTM's outputs, in each direction, and of the decoder's states.
        layers: of the LSTM.
        bidirectional: whether the LSTM runs in both directions.
        score: ``additive`` or ``dot``, the first or the second line of k_t.
        num_classes: A, of a decoder of one step a class; None for one step in all.
        uniform_start: attention starts uniform, as of an AttCell.
    """

    def __init__(
        self,
        dim: int,
        hidden: int = 1024,
        *,
        layers: int = 1,
        bidirectional: bool = False,
        score: DecoderScore = "additive",
        num_classes: int | None = None,
        uniform_start: bool = True,
    ) -> None:
        super().__init__()
        self.encoder = nn.LSTM(dim, hidden, layers, batch_first=True, bidirectional=bidirectional)
        outputs = 2 * hidden if bidirectional else hidden
        self.begin = nn.Linear(outputs, hidden)  # W_0, b_0
        self.start = nn.Embedding(1, hidden) if num_classes is None else None  # x
        self.classes = nn.Embedding(num_classes, hidden) if num_classes is not None else None  # x_a
        self.decoder = nn.GRUCell(hidden, hidden)
        form = AdditiveScore if score == "additive" else DotScore
        self.attention = form(outputs, hidden, uniform_start=uniform_start)

    def forward(
        self, segments: Float[Tensor, "B T MD"]
    ) -> tuple[Float[Tensor, "B *A T"], Float[Tensor, "B *A T"]]:
        """The raw scores k and the attention β over the segments; of a decoder of classes one of each."""
        outputs, (last, _) = self.encoder(segments)
        directions = 2 if self.encoder.bidirectional else 1
        scores = self.ask(outputs, self.decode(last[-directions:]))
        scores = scores if self.classes is not None else scores[:, 0]
        return scores, scores.softmax(dim=-1)

    def decode(self, last: Float[Tensor, "directions B H"]) -> Float[Tensor, "B Q H"]:
        """The decoder's states s, from the last output of each of the LSTM's directions: one, or A."""
        first = torch.tanh(self.begin(last.transpose(0, 1).flatten(1)))  # s_0
        steps = self.classes if self.start is None else self.start
        assert steps is not None, "it has one of both"
        inputs = steps.weight.repeat(first.shape[0], 1)
        states = self.decoder(inputs, first.repeat_interleave(len(steps.weight), dim=0))
        return states.unflatten(0, (first.shape[0], -1))

    def ask(self, outputs: Float[Tensor, "B T E"], states: Float[Tensor, "B Q H"]) -> Float[Tensor, "B Q T"]:
        """The raw scores of some of the encoder's outputs for each of the decoder's states."""
        scores: Tensor = self.attention(outputs, states)
        return scores


LAYER_DROPOUT = 0.1
POSITIONS = 25  # the paper's T: so many positions apart lie a video's beginning and its end


class SelfAttention(nn.Module):
    """One transformer layer over the segments f_att, with positions, and an AttCell on its outputs::

        x_t = W f_att^t + c + p_t
        y = LayerNorm(x + MultiHead(x, x, x))
        h = LayerNorm(y + W_2 relu(W_1 y + c_1) + c_2)
        k_t = Wᵀ h_t + b

    It is the layer of Vaswani et al. (2017). *Reading*: 4 heads, an inner layer of four times ``hidden``, a
    dropout of 0.1, and their sines and cosines p at the place 25 (t + ½) / T, so that videos of any T have
    the same positions.

    Args:
        dim: MD.
        hidden: numbers of x and h, a multiple of 4.
        form: of the AttCell.
        uniform_start: of the AttCell.
    """

    def __init__(
        self, dim: int, hidden: int = 1024, *, form: AttentionForm = "linear", uniform_start: bool = True
    ) -> None:
        super().__init__()
        self.enter = nn.Linear(dim, hidden)
        self.layer = nn.TransformerEncoderLayer(
            hidden, SELF_ATTENTION_HEADS, 4 * hidden, dropout=LAYER_DROPOUT, batch_first=True
        )
        self.attention = AttCell(hidden, form=form, uniform_start=uniform_start)

    def forward(self, segments: Float[Tensor, "B T MD"]) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B T"]]:
        """The raw scores k and the attention β over the segments."""
        scores, attention = self.attention(self.layer(self.placed(segments, 0, segments.shape[1])))
        return scores, attention

    def placed(self, segments: Float[Tensor, "B t MD"], first: int, num: int) -> Float[Tensor, "B t H"]:
        """x of some consecutive segments, of which ``first`` is the first, of a video of ``num``."""
        entered = self.enter(segments)
        return entered + positions(first, segments.shape[1], num, entered.shape[-1]).to(entered)


def positions(first: int, count: int, num: int, dim: int) -> Float[Tensor, "count dim"]:
    """Vaswani et al.'s sines and cosines of some consecutive segments, in double precision.

    Args:
        first: the first of these segments.
        count: how many.
        num: T, of the whole video.
        dim: an even number: a sine and a cosine of each frequency.
    """
    places = POSITIONS * (torch.arange(first, first + count, dtype=torch.float64) + 0.5) / num
    rates = 10_000 ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    angles = places[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def of_all_classes(scores: Float[Tensor, "B A T"], logits: Float[Tensor, "B A"]) -> Float[Tensor, "B T"]:
    """One k for a video with a k of each class: the logarithm of β = Σ_a p_a β^a, where p is the softmax of
    the video's logits. So the softmax of k is this β, which sums to 1, and is that of a class of which the
    network is sure.
    """
    shares = scores.log_softmax(dim=-1) + logits.log_softmax(dim=-1)[..., None]
    return shares.logsumexp(dim=1)
