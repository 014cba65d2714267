-- Facility x item x month x source.
select *, opening + received - dispensed - discarded + adjusted = closing as identity_holds from stock_month_both
