-- Version 2: pairs that people translated, on which a tuned model is measured and never trained.
ALTER TABLE pairs ADD COLUMN purpose TEXT NOT NULL DEFAULT 'train';
