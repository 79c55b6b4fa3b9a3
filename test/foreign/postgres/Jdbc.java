// What BI tools do with JDBC: all that they ask of a database's metadata, and queries with parameters.
// Prints a line for each thing that was seen.
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.math.BigDecimal;
import java.sql.*;
import java.util.Arrays;
import java.util.Properties;

public class Jdbc {
  interface Asked { Object get() throws Exception; }

  static String shown(Object value) throws SQLException {
    if (value instanceof byte[] bytes) return bytes.length + " bytes";
    if (value instanceof Array array) return Arrays.toString((Object[]) array.getArray());
    return String.valueOf(value);
  }

  static String rows(ResultSet result, int columns) throws SQLException {
    StringBuilder all = new StringBuilder();
    int most = Math.min(columns, result.getMetaData().getColumnCount());
    while (result.next()) {
      for (int i = 1; i <= most; i++) all.append(i > 1 ? "|" : "").append(shown(result.getObject(i)));
      all.append(";");
    }
    return all.toString();
  }

  static void see(String name, Asked asked) {
    try {
      Object value = asked.get();
      System.out.println(name + ": " + (value instanceof ResultSet result ? rows(result, 6) : value));
    } catch (SQLException error) {
      System.out.println(name + ": failed " + error.getSQLState());
    } catch (Exception error) {
      System.out.println(name + ": failed " + error);
    }
  }

  /** All methods of the metadata that need nothing: how many answer, and which do not. */
  static String plainMetadata(DatabaseMetaData metadata) throws Exception {
    int answered = 0;
    StringBuilder failed = new StringBuilder();
    for (Method method : DatabaseMetaData.class.getMethods()) {
      if (method.getParameterCount() > 0) continue;
      try {
        if (method.invoke(metadata) instanceof ResultSet result) rows(result, 20);
        answered++;
      } catch (InvocationTargetException error) {
        // What the driver itself does not have.
        if (!(error.getCause() instanceof SQLFeatureNotSupportedException)) failed.append(" ").append(method.getName());
      }
    }
    return (answered > 130 ? "most" : answered) + " answered, failed:" + failed;
  }

  public static void main(String[] args) throws Exception {
    Properties properties = new Properties();
    properties.put("user", "ada");
    properties.put("password", args[1]);
    try (Connection c = DriverManager.getConnection("jdbc:postgresql://127.0.0.1:" + args[0] + "/shop", properties)) {
      DatabaseMetaData d = c.getMetaData();
      see("plain", () -> plainMetadata(d));
      see("catalogs", d::getCatalogs);
      see("schemas", () -> d.getSchemas(null, "%"));
      see("tables", () -> d.getTables("shop", null, "%", new String[] {"TABLE", "VIEW"}));
      see("columns", () -> d.getColumns(null, "silver", "orders", "%"));
      see("primary keys", () -> d.getPrimaryKeys(null, "silver", "orders"));
      see("imported keys", () -> d.getImportedKeys(null, "silver", "orders"));
      see("exported keys", () -> d.getExportedKeys(null, "silver", "orders"));
      see("cross reference", () -> d.getCrossReference(null, "silver", "orders", null, "gold", "daily"));
      see("indexes", () -> d.getIndexInfo(null, "silver", "orders", false, true));
      see("row identifier", () -> d.getBestRowIdentifier(null, "silver", "orders", 2, true));
      see("table privileges", () -> d.getTablePrivileges(null, "gold", "%"));
      see("column privileges", () -> d.getColumnPrivileges(null, "gold", "daily", "day"));
      see("procedures", () -> d.getProcedures(null, "gold", "%"));
      see("procedure columns", () -> d.getProcedureColumns(null, "gold", "%", "%"));
      see("functions", () -> d.getFunctions(null, "gold", "%"));
      see("function columns", () -> d.getFunctionColumns(null, "gold", "%", "%"));
      see("user types", () -> d.getUDTs(null, null, "%", null));
      see("rows", () -> {
        PreparedStatement s = c.prepareStatement("SELECT id, amount, ordered_on, note FROM silver.orders WHERE id > ? AND ordered_on >= ? AND amount >= ? AND customer <> ? ORDER BY id");
        s.setInt(1, 0);
        s.setDate(2, Date.valueOf("1990-01-01"));
        s.setBigDecimal(3, new BigDecimal("0.05"));
        s.setString(4, "Nobody");
        return s.executeQuery();
      });
      // From the fifth time on, the driver prepares on the server, and reads in binary.
      see("prepared", () -> {
        PreparedStatement s = c.prepareStatement("SELECT ?::int + 1, 1.50::decimal(5, 2), date '2020-02-29', timestamp '2020-02-29 01:02:03.000004', 'x'::blob, true, 1e10::double, [1, 2], uuid 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6', time '10:00:00', 0.5::real");
        String first = null;
        for (int i = 0; i < 8; i++) {
          s.setInt(1, 41);
          String found = rows(s.executeQuery(), 20);
          if (first != null && !first.equals(found)) return "differs: " + first + found;
          first = found;
        }
        return first;
      });
      see("in parts", () -> {
        c.setAutoCommit(false);
        Statement s = c.createStatement();
        s.setFetchSize(10);
        ResultSet result = s.executeQuery("SELECT range FROM range(35)");
        int count = 0;
        while (result.next()) count++;
        c.commit();
        c.setAutoCommit(true);
        return count;
      });
      see("array", () -> {
        PreparedStatement s = c.prepareStatement("SELECT id FROM silver.orders WHERE id = ANY(?) ORDER BY id");
        s.setArray(1, c.createArrayOf("int8", new Object[] {1L, 3L}));
        return s.executeQuery();
      });
      see("time", () -> {
        PreparedStatement s = c.prepareStatement("SELECT count(*) FROM silver.orders WHERE paid_at > ?");
        s.setTimestamp(1, Timestamp.valueOf("2000-01-02 00:00:00"));
        return s.executeQuery();
      });
      see("described", () -> {
        PreparedStatement s = c.prepareStatement("SELECT * FROM gold.daily WHERE day = ?");
        return s.getMetaData().getColumnCount() + " " + s.getParameterMetaData().getParameterTypeName(1);
      });
      see("valid", () -> c.isValid(5));
      see("schema", () -> {
        c.setSchema("silver");
        return c.getSchema() + " " + rows(c.createStatement().executeQuery("SELECT count(*) FROM orders"), 1);
      });
      see("write", () -> c.createStatement().executeUpdate("DELETE FROM silver.orders"));
      see("timeout", () -> {
        Statement s = c.createStatement();
        s.setQueryTimeout(1);
        return s.executeQuery("SELECT count(*) FROM range(1000000000000) AS t(a) WHERE a % 7 = 3");
      });
      see("after", () -> c.createStatement().executeQuery("SELECT 1"));
    }
  }
}
