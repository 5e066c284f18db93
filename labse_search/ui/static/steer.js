// @ts-check
// Under the question: what it is steered by, as chips with a weight, and the bar of filters with counts. Added to `labse`
// for results.js, which draws them and sends what they ask for.
Object.assign(window.labse, (() => {
  const { el, t, language, dir, button, number } = window.labse;
  const STEP = 0.1, LEAST = 0.1, MOST = 2, PATIENCE = 400;
  /** @type {Steer[]} */
  let list = [];
  /** @type {(steers: string) => void} */
  let send = () => {};
  let weights = {}, timer = 0;

  const written = () => list.length ? JSON.stringify(list.map(one => one.passage ? [one.weight, one.passage] : [one.weight, '', one.text])) : '';
  const tell = () => { clearTimeout(timer); timer = 0; send(written()); };
  const later = () => { clearTimeout(timer); timer = setTimeout(tell, PATIENCE); };
  const same = (one, passage, text) => one.passage === passage && (passage || one.text === text);
  // Weights that are being moved are ahead of the answer that comes in.
  const take = (value, sender) => { send = sender; weights = value.weights || {}; if (!timer) list = (value.steers || []).map(one => ({ ...one })); };
  const steer = (passage, sign, text = '') => {
    const at = list.findIndex(one => same(one, passage, text));
    const weight = weights[sign], before = at < 0 ? null : list[at];
    if (before && Math.sign(before.weight) === Math.sign(weight)) list.splice(at, 1); // pressed again: taken back
    else if (before) before.weight = weight;
    else list.push({ weight, passage, text, title: '', lang: '' });
    tell();
  };
  const weightOf = passage => list.find(one => one.passage === passage)?.weight || 0;

  const steerButtons = passage => {
    const weight = weightOf(passage);
    const one = (sign, mark, on) => button(`link steer-${sign}`, mark, () => steer(passage, sign),
      { 'aria-pressed': String(on), 'aria-label': t(`steer_${sign}`), title: t(`steer_${sign}`), 'data-focus': `${passage} ${sign}` });
    return el('span', 'steer-buttons', null, {}, one('plus', '+', weight > 0), one('minus', '−', weight < 0));
  };
  const shown = weight => `${weight < 0 ? '−' : '+'}${number(Math.abs(weight), 1)}`;
  const chip = one => {
    const key = one.passage || one.text, name = one.text || one.title || one.passage;
    const output = el('output', 'weight', shown(one.weight), { dir: 'ltr' });
    const slider = el('input', 'slider', null, { type: 'range', min: LEAST, max: MOST, step: STEP, 'aria-label': t('steer_weight', { name }), 'data-focus': `weight ${key}` });
    slider.value = String(Math.abs(one.weight));
    slider.setAttribute('aria-valuetext', shown(one.weight));
    slider.addEventListener('input', () => {
      one.weight = Math.sign(one.weight) * Number(slider.value);
      output.textContent = shown(one.weight);
      slider.setAttribute('aria-valuetext', shown(one.weight));
      later();
    });
    const gone = button('quiet cross', '×', () => { list.splice(list.indexOf(one), 1); tell(); }, { 'aria-label': t('steer_remove', { name }) });
    return el('li', `steer-chip ${one.weight < 0 ? 'minus' : 'plus'}`, null, {},
      el('span', 'steer-text', null, { title: one.title || null, lang: one.lang && one.lang !== 'unknown' ? one.lang : null, dir: dir(one.lang) }, el('bdi', null, name)), slider, output, gone);
  };
  // Another question at the same time: a field that opens on request.
  const asking = () => {
    const open = button('link ask-also', t('steer_question'), () => {
      const field = el('input', 'also', null, { type: 'text', dir: 'auto', maxlength: 2000, 'aria-label': t('steer_question'), placeholder: t('steer_question') });
      const add = () => { const text = field.value.trim(); if (text) steer('', 'also', text); else form.replaceWith(asking()); };
      field.addEventListener('keydown', event => {
        if (event.isComposing) return;
        if (event.key === 'Enter') { event.preventDefault(); add(); }
        if (event.key === 'Escape') { event.stopPropagation(); const link = asking(); form.replaceWith(link); link.focus(); }
      });
      const form = el('span', 'ask-row', null, {}, field, button('link', t('steer_add'), add));
      open.replaceWith(form);
      field.focus();
    }, { 'data-focus': 'ask-also' });
    return open;
  };
  const steerRow = () => {
    const row = el('div', 'steer-row');
    if (list.length) row.append(el('ul', 'steer-list', null, { 'aria-label': t('steer') }, ...list.map(chip)));
    row.append(asking());
    if (list.length > 1) row.append(button('link steer-clear', t('recent_clear'), () => { list = []; tell(); }));
    return row;
  };

  const facetGroup = (group, toggle) => {
    const label = t(`filter_${group.name}`), box = el('div', 'facet', null, { role: 'group', 'aria-label': label });
    box.append(el('span', 'facet-name', label, { 'aria-hidden': 'true' }));
    for (const one of group.values) {
      const name = window.labse.filterName(one);
      const node = button('chip facet-value', null, () => toggle({ name: group.name, value: one.value }), { 'aria-pressed': String(one.on), 'data-focus': `facet ${group.name} ${one.value}` });
      node.append(el('bdi', null, name), el('span', 'facet-count', number(one.count)));
      box.append(node);
    }
    return box;
  };
  let unfolded = false; // stays as the person left it
  const facetBar = (groups, toggle) => {
    if (!groups?.length) return null;
    const bar = el('div', 'facets', null, { role: 'group', 'aria-label': t('facets') }), first = groups.filter(group => group.name === 'languages');
    const rest = groups.filter(group => group.name !== 'languages');
    bar.append(...first.map(group => facetGroup(group, toggle)));
    if (rest.length) {
      const more = el('details', 'facet-more', null, {}, el('summary', null, t('facet_more')), ...rest.map(group => facetGroup(group, toggle)));
      more.open = unfolded || rest.some(group => group.values.some(one => one.on));
      more.addEventListener('toggle', () => { unfolded = more.open; });
      bar.append(more);
    }
    return bar;
  };
  // Kept under Findings, where it says what is new since it was last opened.
  const saveButton = (saved, toggle) => {
    const node = button('link save-search', '', () => { show(node.getAttribute('aria-pressed') !== 'true'); toggle(); }, { 'data-focus': 'save-search' });
    const show = on => { node.setAttribute('aria-pressed', String(on)); node.textContent = (on ? '★ ' : '☆ ') + t(on ? 'saved_done' : 'saved_save'); };
    show(saved);
    // The button is ahead of its answer, which says what became of it.
    const answered = (message, on) => {
      saved = on ?? saved;
      show(saved);
      const line = node.closest('.summary');
      line?.parentElement.querySelector('.save-failed')?.remove();
      if (message) line?.after(el('p', 'notice error save-failed', message, { role: 'alert' }));
    };
    return Object.assign(node, { answered });
  };
  return { saveButton, takeSteers: take, steer, steerButtons, steerRow, asking, facetBar };
})());
