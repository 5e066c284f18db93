// @ts-check
// Why a passage was found: the reasons on the card, and the words that met, which are asked for when a person comes to a
// card. Added to `labse` for results.js.
Object.assign(window.labse, (() => {
  const { el, t, dir, button } = window.labse;
  const DWELL = 200, LONGEST = 1000; // milliseconds over a card, characters of a question that is explained
  const known = new Map();
  let timer = 0;

  const pairs = (links, lang) => {
    const words = el('span', 'links');
    links.forEach((link, i) => words.append(el('span', 'link-pair', null, {}, el('sup', null, String(i + 1)),
      el('bdi', null, link.question), el('span', 'arrow', ' ↔ ', { 'aria-hidden': 'true' }), el('bdi', null, link.passage, { lang }))));
    return words;
  };
  const sentence = card => [el('dt', null, t('why_sentence')), el('dd', null, null, {}, el('q', null, card.sentence, { lang: card.lang, dir: dir(card.lang) }))];
  const whySentence = (article, card) => { if (card.sentence) article.querySelector('.reasons').prepend(...sentence(card)); };
  const why = card => {
    const list = el('dl', 'reasons');
    const row = (key, node) => list.append(el('dt', null, t(key)), el('dd', null, null, {}, node));
    if (card.sentence) list.append(...sentence(card));
    if (card.why.links.length) row('why_links', pairs(card.why.links, card.lang));
    if (card.why.shared.length) {
      const shared = el('span', 'shared');
      card.why.shared.forEach(word => shared.append(el('bdi', 'word', word)));
      row('why_shared', shared);
    }
    if (card.why.closer) row('why_rank', t('why_closer', { percent: card.why.closer }));
    if (card.why.found) row('why_found', t(card.why.found, card.why));
    return el('details', 'why', null, {}, el('summary', null, t('why')), list, el('p', 'check', t('why_check')));
  };

  const links = (card, question, collection) => {
    const address = new URL('explain', document.baseURI);
    for (const [key, value] of Object.entries({ q: question, collection, passage: `${card.document}.${card.index}${card.mark ? `.${card.mark.join('-')}` : ''}` })) address.searchParams.set(key, value);
    if (!known.has(address.href)) {
      if (known.size > 200) known.clear();
      known.set(address.href, fetch(address).then(answer => answer.ok ? answer.json() : Promise.reject(Error(String(answer.status)))));
      known.get(address.href).catch(() => known.delete(address.href)); // too many at a time: another look asks again
    }
    return known.get(address.href);
  };
  // `fill` puts the parts into the passage: the same words, so nothing moves.
  const explain = async (article, card, { question, collection }, fill) => {
    if (!question || question.length > LONGEST || article.dataset.linked) return;
    let found;
    try { found = await links(card, question, collection); } catch (error) { return; }
    if (!article.isConnected || article.dataset.linked || article.contains(getSelection()?.anchorNode) && !getSelection()?.isCollapsed) return;
    article.dataset.linked = 'yes';
    fill(found.parts);
    if (!found.links.length) return;
    const reasons = article.querySelector('.reasons'), row = [el('dt', null, t('why_links')), el('dd', null, null, {}, pairs(found.links, card.lang))];
    if (card.sentence) reasons.children[1].after(...row); else reasons.prepend(...row);
  };
  // After the answers are shown, and only for the card that the person is at.
  const explains = (article, card, asked, fill) => {
    const now = () => explain(article, card, asked(), fill);
    article.addEventListener('pointerenter', () => { clearTimeout(timer); timer = setTimeout(now, DWELL); });
    article.addEventListener('pointerleave', () => clearTimeout(timer));
    article.addEventListener('focusin', () => { clearTimeout(timer); timer = setTimeout(now, DWELL); });
    article.querySelector('.why').addEventListener('toggle', now);
  };
  return { why, whySentence, explains };
})());
