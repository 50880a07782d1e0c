"""How much a sheet takes: larger tables are left out of workbooks, and larger results refused as XLSX, because
spreadsheets do not open them.
"""

SHEET_ROWS = 100_000
SHEET_CELLS = 2_000_000
