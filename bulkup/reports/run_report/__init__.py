"""The report of a run, for `bulkup report`: as a page, as text for a terminal, as Markdown, as JSON.

    run_facts        what the journal knows of the run
    report_figures   what the formats show of it: outcome, files, failures, comparison
    report_words     the same in sentences, and what is left to do
    time_series      samples as series over time, and histograms as shares
    charts           the geometry of charts
    chart_drawing    the charts of a page
    page_view        the contents of the page as text
    html_report      the page: HTML without scripts, by the templates beside it
    markdown_report, terminal_report, json_report   the other formats

Facts come from `bulkup.api.run_report`. Nothing here reads a journal or a clock. Text from outside (file names,
messages, ids) is escaped by each format in its own way.
"""
