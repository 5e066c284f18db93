// @ts-check
// The closest sentence of each passage, asked for when its card comes into view: no answer waits for it. Added to `labse`
// for results.js.
Object.assign(window.labse, (() => {
  let stop = () => {}, last = null; // of the answer that was drawn before
  const same = (value, other) => !!other && ['collection', 'question', 'like', 'steers'].every(key => JSON.stringify(value[key]) === JSON.stringify(other[key]));
  // Begins with an answer: `fill(card, node)` shows what the card then knows. Gives `watch(card, node)`, `of(card)`, which
  // waits until the card knows or cannot, and `again`: whether the answer before was one to the same question.
  const marking = (value, fill) => {
    stop();
    const token = value.marks, again = same(value, last), known = again && last ? new Map(last.cards.map(card => [card.passage, card])) : new Map();
    for (const card of value.cards || []) { // the same question in another order, or with more below: nothing blinks
      const { mark, sentence, parts, citation } = known.get(card.passage) || {};
      if (!card.mark && mark) Object.assign(card, { mark, sentence, parts, citation });
    }
    last = value.cards ? value : null;
    const nodes = new Map(), asked = new Map(), ended = new AbortController();
    const ask = async cards => {
      const address = new URL(`marks/${token}`, document.baseURI);
      address.searchParams.set('ranks', cards.map(card => card.rank).join(','));
      let found = [];
      try {
        const answer = await fetch(address, { signal: ended.signal });
        if (answer.ok) found = await answer.json();
      } catch (error) { /* another question came, or the app is gone: the passages stay as they are */ }
      const told = new Map(found.map(one => [one.rank, one]));
      for (const card of cards) {
        const one = told.get(card.rank);
        if (!one) { asked.delete(card); continue; }
        Object.assign(card, one);
        const node = nodes.get(card);
        if (node?.isConnected) fill(card, node);
      }
    };
    const want = cards => {
      const open = token ? cards.filter(card => !card.mark && !asked.has(card)) : [];
      if (!open.length) return;
      const coming = ask(open);
      open.forEach(card => asked.set(card, coming));
    };
    const cardOf = new Map();
    const seen = new IntersectionObserver(entries => want(entries.filter(one => one.isIntersecting).map(one => cardOf.get(one.target))));
    stop = () => { ended.abort(); seen.disconnect(); };
    return {
      again,
      watch: (card, node) => { if (!card.mark && token) { nodes.set(card, node); cardOf.set(node, card); seen.observe(node); } },
      of: async card => { want([card]); await asked.get(card); },
    };
  };
  window.addEventListener('labse-busy', () => stop());
  return { marking };
})());
