-- What people look at. Times are microseconds since 1970 in UTC.

-- The requests by action and status, in the order in which they were created.
CREATE INDEX record_listed ON record (action, status, created_at) WHERE part = 0;

-- Those that failed, in the order in which they did.
CREATE INDEX record_failed ON record (action, finished_at, seq, created_at) WHERE part = 0 AND status = 'failed';

-- What came to pass in the ten seconds from `at` on: how many requests of the action came to the status.
CREATE TABLE tally (
    at            INTEGER NOT NULL,
    action        TEXT    NOT NULL,
    status        TEXT    NOT NULL,
    bound         INTEGER NOT NULL,         -- how long that took: the place among BOUNDS; 0 if it was accepted
    count         INTEGER NOT NULL,
    PRIMARY KEY (at, action, status, bound)
) STRICT, WITHOUT ROWID;

-- What lies back further than an hour is shown no more. (What is counted once more is no insert.)
CREATE TRIGGER tally_begun AFTER INSERT ON tally BEGIN
    DELETE FROM tally WHERE at < NEW.at - 3610000000;
END;

CREATE TRIGGER record_accepted AFTER INSERT ON record WHEN NEW.part = 0 BEGIN
    INSERT INTO tally VALUES (NEW.created_at - NEW.created_at % 10000000, NEW.action, 'accepted', 0, 1)
    ON CONFLICT DO UPDATE SET count = count + 1;
END;

CREATE TRIGGER record_ended AFTER UPDATE OF status ON record WHEN NEW.part = 0 AND NEW.status <> 'accepted' BEGIN
    INSERT INTO tally
    SELECT NEW.finished_at - NEW.finished_at % 10000000, NEW.action, NEW.status, CASE
        WHEN took <= 10000 THEN 0 WHEN took <= 20000 THEN 1 WHEN took <= 50000 THEN 2
        WHEN took <= 100000 THEN 3 WHEN took <= 200000 THEN 4 WHEN took <= 500000 THEN 5
        WHEN took <= 1000000 THEN 6 WHEN took <= 2000000 THEN 7 WHEN took <= 5000000 THEN 8
        WHEN took <= 10000000 THEN 9 WHEN took <= 20000000 THEN 10 WHEN took <= 50000000 THEN 11
        WHEN took <= 100000000 THEN 12 WHEN took <= 200000000 THEN 13 WHEN took <= 500000000 THEN 14
        WHEN took <= 1000000000 THEN 15 WHEN took <= 2000000000 THEN 16 WHEN took <= 5000000000 THEN 17
        WHEN took <= 10000000000 THEN 18
        ELSE 19 END, 1
    FROM (SELECT NEW.finished_at - NEW.created_at AS took) WHERE true
    ON CONFLICT DO UPDATE SET count = count + 1;
END;
