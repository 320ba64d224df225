"""The database: tables, transactions, migrations. The only package of the controller that opens a file for state."""
