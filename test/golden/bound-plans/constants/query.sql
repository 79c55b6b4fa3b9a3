select 9007199254740993 as big, 1.50 as price, -7 as below, cast('0.0001' as decimal(9, 4)) as small,
  123456789012345678901234567890 as huge, 'it''s' as text, true as yes, null as nothing
