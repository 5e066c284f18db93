-- Version 2: how many files of each outcome a job has is kept up to date instead of counted again at every look.
ALTER TABLE jobs RENAME COLUMN wish TO requested;
CREATE TABLE job_outcomes (
  job TEXT NOT NULL, outcome TEXT NOT NULL, files INTEGER NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (job, outcome)
) WITHOUT ROWID;
INSERT INTO job_outcomes (job, outcome, files, bytes)
  SELECT job, outcome, COUNT(*), SUM(size) FROM job_files GROUP BY job, outcome;
CREATE TRIGGER job_file_added AFTER INSERT ON job_files BEGIN
  INSERT INTO job_outcomes (job, outcome, files, bytes) VALUES (NEW.job, NEW.outcome, 1, NEW.size)
    ON CONFLICT (job, outcome) DO UPDATE SET files = files + 1, bytes = bytes + NEW.size;
END;
CREATE TRIGGER job_file_done AFTER UPDATE OF outcome ON job_files WHEN OLD.outcome != NEW.outcome BEGIN
  UPDATE job_outcomes SET files = files - 1, bytes = bytes - OLD.size WHERE job = OLD.job AND outcome = OLD.outcome;
  INSERT INTO job_outcomes (job, outcome, files, bytes) VALUES (NEW.job, NEW.outcome, 1, NEW.size)
    ON CONFLICT (job, outcome) DO UPDATE SET files = files + 1, bytes = bytes + NEW.size;
END;
