// @ts-check
// What a person types and asks while the page loads. Gradio takes events as soon as it has drawn the question, but what
// the fields begin with comes later, from the address: it would wipe the question, and its answer the answers. So an
// early question is kept, and asked when the fields are there (loading.py).
labse.early = (() => {
  let waiting = true, typed = false, asked = false;
  const keep = event => { event.preventDefault(); event.stopImmediatePropagation(); asked = true; labse.busy(); };
  const heard = {
    input: event => { if (event.target === labse.question()) typed = true; },
    keydown: event => { if (event.target === labse.question() && event.key === 'Enter' && !event.shiftKey && !event.isComposing) keep(event); },
    click: event => { if (event.target.closest?.('#go')) keep(event); },
  };
  for (const name in heard) document.addEventListener(name, heard[name], true);
  const inAddress = () => labse.parameter('q').trim();
  return {
    get waiting() { return waiting; },
    get asked() { return waiting && asked; },
    // What the question's field begins with: what was typed stays.
    question: () => typed ? { __type__: 'update' } : inAddress(),
    // [question, passage to find others like]: the first search, of what is in the fields if it was asked, else of what
    // the address says.
    begin: (question, like) => {
      if (!waiting) return [question, like];
      waiting = false;
      for (const name in heard) document.removeEventListener(name, heard[name], true);
      return typed && asked ? [question, ''] : [inAddress(), like];
    },
  };
})();
