"""What all services of the controller share: calls and answers, errors, attributes, filters, paging, policy."""
