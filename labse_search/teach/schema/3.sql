-- Version 3: two texts are one pair in whichever order, and however they are spaced: `texts` is pair_key() of both. Of
-- pairs that were there twice, what a person said last stays.
ALTER TABLE pairs ADD COLUMN texts TEXT NOT NULL DEFAULT '';
UPDATE pairs SET texts = pair_key(source, target);
UPDATE pairs SET purpose = 'measure' WHERE (collection, texts) IN (
  SELECT collection, texts FROM pairs WHERE purpose = 'measure'
);
DELETE FROM pairs WHERE id IN (
  SELECT id FROM (
    SELECT pairs.id, ROW_NUMBER() OVER (
      PARTITION BY collection, texts ORDER BY pairs.verdict NOT IN ('right', 'wrong'), pairs.verdict = '', said DESC,
      added DESC, pairs.id
    ) AS place FROM pairs LEFT JOIN (SELECT pair, MAX(id) AS said FROM verdicts GROUP BY pair) ON pair = pairs.id
  ) WHERE place > 1
);
UPDATE pairs SET purpose = 'train' WHERE verdict = 'wrong';
DELETE FROM verdicts WHERE pair NOT IN (SELECT id FROM pairs);
CREATE UNIQUE INDEX pairs_texts ON pairs (collection, texts);
