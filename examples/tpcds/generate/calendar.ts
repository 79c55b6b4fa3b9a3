/** The days from 1900 to 2100, as the specification numbers and describes them. */
export const calendar = `
SELECT i, 2415022 + i AS d_date_sk, concat('AAAAAAAA', lpad(to_hex(2415022 + i), 8, '0')) AS d_date_id, d AS d_date,
  (year(d) - 1900) * 12 + month(d) - 1 AS d_month_seq, (i + 1) // 7 + 1 AS d_week_seq,
  (year(d) - 1900) * 4 + quarter(d) AS d_quarter_seq, year(d) AS d_year, dayofweek(d) AS d_dow, month(d) AS d_moy,
  day(d) AS d_dom, quarter(d) AS d_qoy, year(d) AS d_fy_year, (year(d) - 1900) * 4 + quarter(d) AS d_fy_quarter_seq,
  (i + 1) // 7 + 1 AS d_fy_week_seq, dayname(d) AS d_day_name, concat(year(d), 'Q', quarter(d)) AS d_quarter_name,
  CASE WHEN (month(d), day(d)) IN ((1, 1), (7, 4), (12, 25), (12, 26)) THEN 'Y' ELSE 'N' END AS d_holiday,
  CASE WHEN dayofweek(d) IN (0, 6) THEN 'Y' ELSE 'N' END AS d_weekend,
  CASE WHEN (month(d), day(d)) IN ((1, 2), (7, 5), (12, 26), (12, 27)) THEN 'Y' ELSE 'N' END AS d_following_holiday,
  2415022 + i - day(d) + 1 AS d_first_dom, 2415022 + i - day(d) + day(last_day(d)) AS d_last_dom,
  2415022 + i - 365 AS d_same_day_ly, 2415022 + i - 92 AS d_same_day_lq, 'N' AS d_current_day, 'N' AS d_current_week,
  'N' AS d_current_month, 'N' AS d_current_quarter, 'N' AS d_current_year
FROM (SELECT i, DATE '1900-01-02' + i::INTEGER AS d FROM range(73049) AS r(i))`

/** The seconds of a day. */
export const clock = `
SELECT i, i AS t_time_sk, concat('AAAAAAAA', lpad(to_hex(i), 8, '0')) AS t_time_id, i AS t_time, i // 3600 AS t_hour,
  (i // 60) % 60 AS t_minute, i % 60 AS t_second, CASE WHEN i < 43200 THEN 'AM' ELSE 'PM' END AS t_am_pm,
  CASE WHEN i < 28800 THEN 'third' WHEN i < 57600 THEN 'first' ELSE 'second' END AS t_shift,
  CASE WHEN i < 21600 THEN 'night' WHEN i < 43200 THEN 'morning' WHEN i < 64800 THEN 'afternoon' ELSE 'evening' END AS t_sub_shift,
  CASE WHEN i BETWEEN 21600 AND 32400 THEN 'breakfast' WHEN i BETWEEN 39600 AND 50400 THEN 'lunch'
    WHEN i BETWEEN 61200 AND 75600 THEN 'dinner' END AS t_meal_time
FROM range(86400) AS r(i)`
