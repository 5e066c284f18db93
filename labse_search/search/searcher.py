"""One question, one collection, one answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

import numpy as np

from labse_search.encoder import Encoder
from labse_search.encoder.texts import encode_texts
from labse_search.errors import UserError
from labse_search.languages import language_name
from labse_search.records import (
    STRENGTHS,
    UNKNOWN_LANGUAGE,
    Filter,
    Found,
    Hit,
    Intent,
    Link,
    Mode,
    StoredSegment,
    point_id,
)
from labse_search.search.asked import Asked, Steering, ask, question_parts
from labse_search.search.context import neighbours
from labse_search.search.facets import GROUPS, Group, Pools, chosen, lifted
from labse_search.search.filters import Settled, passes, settle
from labse_search.search.finding import Finder
from labse_search.search.fusion import closer_than, fused, shared_words
from labse_search.search.late import LateInteraction, Marked
from labse_search.search.likelihood import (
    CERTAIN,
    Sample,
    Surroundings,
    certain,
    chances,
    late_chances,
    related,
    take_sample,
)
from labse_search.search.links import word_links
from labse_search.search.passages import Shown, answers_first, grouped, is_heading, is_readable, translations
from labse_search.search.profile import UNMEASURED, ModelProfile, Odds, Pool, ScoredOdds, Unanswered
from labse_search.search.question import Question, read_question
from labse_search.search.refining import FINER, refined, rows_beside
from labse_search.search.same import collapse
from labse_search.search.steer import Steer
from labse_search.search.translation import CANDIDATES, by_margin
from labse_search.similarity import Vectors
from labse_search.store import NO_FILTER, Store, StoreAnswer, words_outdated


@dataclass(frozen=True)
class Answer:
    """What came of one question."""

    question: str
    question_language: str  # ISO 639-1 or "unknown"; it never filters anything by itself
    hits: tuple[Hit, ...]
    seconds: float
    segments: int  # in the whole collection
    cut: bool = False  # the question was longer than the model's window: its parts were averaged
    notes: tuple[str, ...] = ()  # sentences for the person who asked: what was left out, what could not be done
    # What was found, at least related where anything is, by group of filters: as if that group filtered nothing.
    pools: Pools = field(default_factory=dict)

    @property
    def strengths(self) -> tuple[str, ...]:
        """One a hit: "very close", "close", "related", "far"."""
        return tuple(hit.strength for hit in self.hits)

    @property
    def good(self) -> bool:
        """Whether anything found deserves to be called an answer."""
        return any(strength != "far" for strength in self.strengths)

    @property
    def languages(self) -> tuple[str, ...]:
        """Of its hits, the best one's first, each once."""
        return tuple(dict.fromkeys(hit.stored.segment.language for hit in self.hits))


@dataclass(frozen=True)
class _Inquiry:
    """A question in both forms, and how it is looked for."""

    asked: Asked  # for the model
    typed: Question  # with its quotes and exclusions
    mode: Mode


class Searcher:
    """Answers questions to one collection of a store with the collection's own model."""

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        collection: str,
        *,
        identify: Callable[[str], str] = lambda text: UNKNOWN_LANGUAGE,
        query_priority: Callable[[], AbstractContextManager[None]] = nullcontext,
        profile: Callable[[], ModelProfile] = lambda: UNMEASURED,
        unanswered: Callable[[int], Unanswered | None] = lambda count: None,
    ) -> None:
        """`identify` names the language of a question; `query_priority` makes those who encode in bulk wait meanwhile;
        `profile` tells what is known of the encoder's model by now, `unanswered` what is known of the collection."""
        self.store = store
        self.encoder = encoder
        self.collection = collection
        self._identify = identify
        self._query_priority = query_priority
        self._profile = profile
        self._unanswered = unanswered
        self._finder = Finder(store, encoder, collection)
        self._late = LateInteraction(encoder)
        self._sample: Sample | None = None

    def search(
        self,
        question: str,
        *,
        mode: Mode = "both",
        intent: Intent = "about",
        limit: int = 10,
        where: Filter = NO_FILTER,
        other_languages_only: bool = False,
        group: bool = True,
        mark: bool = True,
        refine: bool = True,
        steers: Sequence[Steer] = (),
        pools: bool = False,
    ) -> Answer:
        """The passages that answer `question`. `group` shows one passage a document, with the document's others under
        it. The first few are compared with the question token by token, for their order, their probability and their
        closest sentences, unless `refine` is false: to read them takes as long as to find them. The closest sentences
        of the others are told with `mark`, or by `marked` afterwards. The intent "translation" looks for passages that
        say the same in other languages, whatever the mode. `steers` move the question by meaning; `pools` are filled
        for who offers filters. UserError for a question that holds nothing to look for, and for filters that nothing in
        the collection can pass."""
        started = time.perf_counter()
        mode = "meaning" if intent == "translation" else mode
        typed = read_question(question, commands=mode != "meaning")
        with self._query_priority():
            settled = settle(where, self.store, self.collection)
            where, notes = settled.where, list(settled.notes)
            language = self._identify(typed.text)
            if other_languages_only or (intent == "translation" and language != UNKNOWN_LANGUAGE):
                where = self._only_others(where, language, notes)
            settled = replace(settled, where=where)
            if steers and (mode == "words" or intent == "translation"):
                notes.append("Weights change what is found by meaning: here they change nothing.")
                steers = ()
            asked = self._asked(typed.text, intent, steers, notes)
            inquiry = _Inquiry(asked, typed, mode)
            found = self._found(inquiry, settled, limit, notes)
            if intent == "translation":
                found = replace(found, meaning=self._translations_first(asked, found))
            group = group and len({one.stored.document for one in (*found.meaning, *found.words)}) > 1
            refine = refine and intent == "about" and not asked.steered
            answer = self._answer(asked, found, limit=limit, group=group, mark=mark, refine=refine)
            if pools:
                wider = self._wider(inquiry, settled, found.info.segments, limit)
                answer = replace(answer, pools={**answer.pools, **wider})
            if words_outdated(found.info):
                notes.append(
                    "The words of this collection were indexed by another version, so some are not found: "
                    "`python -m labse_search.library check --repair` mends that without reading anything again."
                )
        seconds = time.perf_counter() - started
        return replace(answer, question_language=language, seconds=seconds, notes=tuple(notes))

    def _only_others(self, where: Filter, language: str, notes: list[str]) -> Filter:
        """The filter without passages in the question's language, where that is known."""
        if language == UNKNOWN_LANGUAGE:
            notes.append(
                "The language of the question could not be told, so passages in every language are shown. "
                "Choose languages instead, or ask in a whole sentence."
            )
            return where
        if not self.store.count(self.collection, replace(where, not_languages=(*where.not_languages, language))):
            notes.append(f"All passages are in {language_name(language)}: there are none in other languages.")
        return replace(where, not_languages=(*where.not_languages, language))

    def _found(self, inquiry: _Inquiry, settled: Settled, limit: int, notes: list[str]) -> StoreAnswer:
        """What was found by meaning and by words: without the question's quotes where no passage holds what they
        quote."""
        asked, typed, mode = inquiry.asked, inquiry.typed, inquiry.mode
        if asked.unreadable and mode != "words":
            notes.append("The model cannot read the script of this question: only words are compared.")
        by_meaning = mode != "words" and not asked.unreadable
        while True:
            vector = asked.neutral if by_meaning else None
            said = None if mode == "meaning" else replace(typed, text=asked.said if mode == "both" else typed.text)
            found = self._finder.find(vector, said, settled.where, limit, passes(typed, settled))
            if found.meaning or found.words or not typed.phrases:
                return _without(found, asked.away)
            quoted = " and ".join(f"“{phrase.strip()}”" for phrase in typed.phrases)
            notes.append(f"No passage holds {quoted} word for word: searched without the quotes.")
            typed = replace(typed, phrases=())

    def _wider(self, inquiry: _Inquiry, settled: Settled, count: int, limit: int) -> Pools:
        """What is found where one group of filters is lifted, for each that is in force."""
        pools: dict[Group, tuple[StoredSegment, ...]] = {}
        for group in chosen(settled.where):
            wider = replace(settled, where=lifted(settled.where, group))
            if group == "languages":
                wider = replace(wider, fits=None)
            there, rows = self._known(self._found(inquiry, wider, limit, []))
            neutral = self._profile().neutral(rows)
            closeness = self._closeness(inquiry.asked, there, neutral)
            seen = Pool(np.array(list(closeness.values())), neutral)
            around = self._surroundings(inquiry.asked, seen, count, closest=inquiry.mode != "words")
            profile = self._profile()
            pools[group] = related(there, chances(inquiry.asked, closeness, around, profile))
        return pools

    def _translations_first(self, asked: Asked, found: StoreAnswer) -> list[Found]:
        """What was found by meaning, of the closest passages those first that stand out among their neighbours."""
        there, rows = self._known(replace(found, meaning=found.meaning[:CANDIDATES], words=[]))
        if not there:
            return found.meaning

        def near(vectors: Vectors, limit: int) -> list[list[float]]:
            return self.store.nearest_cosines(self.collection, vectors, limit, fingerprint=self.encoder.fingerprint)

        margins = by_margin(asked.neutral, rows, near)
        closest = list(there.values())
        return [*(closest[row] for row in np.argsort(-margins, kind="stable")), *found.meaning[CANDIDATES:]]

    def explain_words(
        self, question: str, document: str, index: int, sentence: tuple[int, int] | None = None
    ) -> tuple[tuple[int, int], tuple[Link, ...]]:
        """The sentence of a stored passage that is closest to the question (or the given one), and which words of the
        two met: code points in the question and in the passage's text. UserError if the passage is gone."""
        point = point_id(document, index)
        stored = self.store.by_point(self.collection, [point]).get(point)
        if stored is None:
            raise UserError("This passage is no longer in the collection. Search again.")
        asked = read_question(question, commands=False).text
        text = stored.segment.text
        profile = self._profile()
        with self._query_priority():
            if sentence is None or not 0 <= sentence[0] < sentence[1] <= len(text):
                sentence = self._marks(question_parts(asked, self.encoder), [stored])[point].span
            start, end = sentence
            found = word_links(asked, text[start:end], lambda texts: profile.neutral(encode_texts(self.encoder, texts)))
        moved = [replace(link, passage=(link.passage[0] + start, link.passage[1] + start)) for link in found]
        return (start, end), tuple(moved)

    def marked(self, answer: Answer, hits: Sequence[Hit]) -> list[Hit]:
        """These hits of the answer with the sentences that are closest to its question."""
        with self._query_priority():
            best = self._marks(question_parts(answer.question, self.encoder), [hit.stored for hit in hits])
        return [replace(hit, best_sentence=best[hit.stored.point].span) for hit in hits]

    def more_like(
        self,
        document: str,
        index: int,
        *,
        limit: int = 10,
        where: Filter = NO_FILTER,
        mark: bool = True,
        steers: Sequence[Steer] = (),
    ) -> Answer:
        """Passages close to one that is stored, from other documents. UserError if it is gone."""
        started = time.perf_counter()
        point = point_id(document, index)
        stored = self.store.by_point(self.collection, [point]).get(point)
        vector = self.store.vectors(self.collection, [point]).get(point)
        if stored is None or vector is None:
            raise UserError("This passage is no longer in the collection. Search again.")
        if stored.segment.unreadable:
            raise UserError("The model cannot read the script of this passage, so nothing can be told to be like it.")
        where = replace(where, not_documents=(*where.not_documents, document))
        with self._query_priority():
            notes: list[str] = []
            profile = self._profile()
            text = stored.segment.text
            asked = Asked(text, vector, profile.neutral(vector), tuple(question_parts(text, self.encoder)))
            asked = Steering(self.store, self.collection, self.encoder, profile).move(asked, steers, notes)
            found = _without(self._finder.find(asked.neutral, None, where, limit), asked.away)
            answer = self._answer(asked, found, limit=limit, group=True, mark=mark)
        seconds = time.perf_counter() - started
        return replace(answer, question_language=stored.segment.language, seconds=seconds, notes=tuple(notes))

    def _asked(self, text: str, intent: Intent, steers: Sequence[Steer], notes: list[str]) -> Asked:
        """The question as the model sees it, steered."""
        profile = self._profile()
        asked = ask(text, self.encoder, profile, intent)
        return Steering(self.store, self.collection, self.encoder, profile).move(asked, steers, notes)

    def _answer(
        self, asked: Asked, found: StoreAnswer, *, limit: int, group: bool, mark: bool, refine: bool = False
    ) -> Answer:
        """What is shown of what was found. `refine`: the first few in the order of late interaction, if they were found
        by meaning."""
        words, count = found.words, found.info.segments
        there, rows = self._known(found)
        profile = self._profile()
        neutral = profile.neutral(rows)
        closeness = self._closeness(asked, there, neutral)
        cosines = {
            point: cosine if closeness[point] > -1.0 else 0.0
            for point, cosine in zip(there, (rows @ asked.vector).tolist(), strict=True)
        }
        meaning = self._by_closeness(asked, found.meaning, there, closeness)
        words = [one for one in words if one.stored.point in there]
        ordered = [Found(one.stored, cosines[one.stored.point]) for one in fused(asked.said, meaning, words)]
        entries = collapse(answers_first(ordered))
        first = grouped(entries, group)
        finer: list[StoredSegment] = []
        if refine and meaning:
            finer = [one.stored for one, _, _ in first[:FINER]]
            finer += rows_beside(finer, (one.stored for one, _ in entries))
        beside = [one.stored for one, _, _ in first[:limit]] if mark else []
        marks = self._marks(asked.parts, list({one.point: one for one in (*finer, *beside)}.values()))
        late = {
            one.point: close
            for one in finer
            if (close := marks[one.point].closeness) is not None and closeness[one.point] > -1.0
        }
        if late:
            first = grouped(refined(entries, {one.point for one in finer}, asked.said, words, late), group)
            # Judged beside one another as the profile was measured: so many, whatever else was read to choose them.
            late = {point: late[point] for one, _, _ in first[:FINER] if (point := one.stored.point) in late}
        # What comes first is known when all that was read is judged.
        first = first[: max(limit, FINER) if late else limit]
        shown = [one for one, _, _ in first]
        seen = Pool(np.array(list(closeness.values())), neutral)
        around = self._surroundings(asked, seen, count, closest=bool(meaning))
        likely = chances(asked, closeness, around, profile)
        of_late: Odds | ScoredOdds = profile.late
        if late:
            rows_of = {point: row for row, point in enumerate(there)}
            read = Pool(np.array(list(late.values())), neutral[[rows_of[point] for point in late]])
            unanswered = self._unanswered(count)
            likely |= late_chances(late, replace(around, found=read), profile, unanswered)
            of_late = profile.late if unanswered is None else profile.scored
        pool = related(there, likely)
        likely |= {point: max(likely[point], CERTAIN) for point in certain(asked, shown, by_words=not meaning)}
        strengths = {
            point: (of_late if point in late else profile.whole).strength(likely[point])
            for point in (one.stored.point for one in shown)
        }
        if late:  # words may bring a passage up among those as close as it is, and not above a closer one

            def place(one: Shown) -> tuple[bool, int]:
                return is_heading(one[0].stored.segment), -STRENGTHS.index(strengths[one[0].stored.point])

            first = [*sorted(first[:FINER], key=place), *first[FINER:]][:limit]
            shown = [one for one, _, _ in first]
        same = translations(shown, there, neutral, profile.translation)
        near = neighbours(self.store, self.collection, shown)
        of_meaning = {one.stored.point for one in found.meaning}
        by_meaning = [one for one in meaning if one.stored.point in of_meaning]
        ranks = [{one.stored.point: rank for rank, one in enumerate(part, 1)} for part in (by_meaning, words)]
        hits = tuple(
            Hit(
                rank=rank,
                score=one.score,
                stored=one.stored,
                probability=likely[point],
                strength=strengths[point],
                translations=same[point],
                neighbours=near.get(point, ()),
                best_sentence=marks[point].span if point in marks else None,
                meaning_rank=ranks[0].get(point),
                words_rank=ranks[1].get(point),
                shared_words=shared_words(asked.said, one.stored.segment.text),
                copies=tuple(copy.stored for copy in copies),
                more_in_document=tuple(more),
                closer_than=closer_than(closeness[point], around.usual),
            )
            for rank, (one, copies, more) in enumerate(first, 1)
            for point in [one.stored.point]
        )
        return Answer(
            question=asked.text,
            question_language=UNKNOWN_LANGUAGE,
            hits=hits,
            seconds=0.0,
            segments=count,
            cut=asked.cut,
            pools=dict.fromkeys(GROUPS, pool),
        )

    def _by_closeness(
        self, asked: Asked, meaning: list[Found], there: dict[str, Found], closeness: Mapping[str, float]
    ) -> list[Found]:
        """All that was found and can be compared, the closest first; translations stay in the order of their margin."""
        if not meaning or asked.intent != "about":
            return meaning
        compared = [one for point, one in there.items() if closeness[point] > -1.0]
        return sorted(compared, key=lambda one: -closeness[one.stored.point])

    def _closeness(self, asked: Asked, there: dict[str, Found], neutral: Vectors) -> dict[str, float]:
        """The neutral cosines by point; -1 for what cannot be compared: texts of unknown tokens alone have one vector
        among them, which is close to nothing and to all of them."""
        values = zip(there.items(), (neutral @ asked.neutral).tolist(), strict=True)
        return {point: -1.0 if asked.unreadable or not is_readable(one) else close for (point, one), close in values}

    def _known(self, answer: StoreAnswer) -> tuple[dict[str, Found], Vectors]:
        """Each found segment once, by point, with its vector (n, dimension): the store is asked for those that the
        answer lacks, and one whose vector is gone was deleted this very moment."""
        found, vectors = [*answer.meaning, *answer.words], answer.vectors
        missing = list({one.stored.point: None for one in found if one.stored.point not in vectors})
        vectors = {**vectors, **self.store.vectors(self.collection, missing)} if missing else vectors
        there = {one.stored.point: one for one in reversed(found) if one.stored.point in vectors}
        rows = np.stack([vectors[point] for point in there]) if there else np.zeros((0, self.encoder.dimension), "f4")
        return there, rows

    def _surroundings(self, asked: Asked, found: Pool, count: int, *, closest: bool) -> Surroundings:
        """What was found, beside a random sample of the collection of `count` segments; passages that were found by
        words alone, which are not the `closest`, are compared with the sample."""
        if self._sample is None or self._sample.is_stale(count):
            self._sample = take_sample(self.store, self.collection, self.encoder.dimension, count)
        sample = self._profile().neutral(self._sample.rows)
        usual = sample @ asked.neutral
        return Surroundings(found, usual, count, None if closest else Pool(usual, sample))

    def _marks(self, parts: Sequence[str], stored: Sequence[StoredSegment]) -> dict[str, Marked]:
        """How each segment looks to a question, in parts that fit the window, token by token; by point."""
        return self._late.compare(parts, stored, self._profile().token_mean)


def _without(found: StoreAnswer, away: Collection[str]) -> StoreAnswer:
    """What was found but for these points."""
    meaning, words = ([one for one in part if one.stored.point not in away] for part in (found.meaning, found.words))
    return replace(found, meaning=meaning, words=words)
