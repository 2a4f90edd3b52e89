-- The index of labels that 0015 has made others for. Instances of the version before list keys by the name of a label without one from
-- here on.

DROP INDEX auth_keys_label_names;
ALTER INDEX auth_keys_names_of_labels RENAME TO auth_keys_label_names;
