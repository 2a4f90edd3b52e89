-- Lists by a label and its value: they took 20 ms of a million keys, since the index of labels knows names and values, not which
-- belong together. Now values have an index of their own, and names one that nothing else is found by. 0016 takes the one before away.
--
-- While it does, keys cannot be changed; lists, keys and what changed can be read, and traffic goes on. docs/operations.md says for
-- how long. Instances of the version before go on beside this one.

CREATE INDEX auth_keys_labels ON auth_keys USING gin (labels jsonb_path_ops);

-- By what is the same: so that the planner, to which both indexes cost the same, does not look for values here.
CREATE INDEX auth_keys_names_of_labels ON auth_keys USING gin ((labels || '{}'::jsonb));

-- What the planner knows of names, it knows from here on of that index.
ANALYZE auth_keys;
