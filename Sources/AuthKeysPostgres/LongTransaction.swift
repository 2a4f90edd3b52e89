/// A transaction that may take long: without the server's bounds on statements and, from version 17 on, on transactions.
enum LongTransaction {
    static let begin = """
        DO $$ BEGIN
            PERFORM set_config(name, '0', true) FROM pg_settings WHERE name IN ('statement_timeout', 'transaction_timeout');
        END $$
        """
}
