-- Version 4: the half of a question goes by its words alone, without what stands between them, and is written down, also
-- for when the question is taken back. Where words were in both halves, a model may have been trained on them.
CREATE TABLE halves (words INTEGER PRIMARY KEY, split TEXT NOT NULL);
INSERT INTO halves
  SELECT text_key(text), IIF(MAX(was_trained_on(text)), 'training', 'verdict') FROM questions GROUP BY text_key(text);
INSERT INTO halves SELECT value, 'training' FROM json_each(trained_words()) WHERE TRUE
  ON CONFLICT (words) DO UPDATE SET split = 'training';
