import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import software.amazon.awssdk.services.athena.AthenaClient;
import software.amazon.awssdk.services.athena.model.AthenaException;
import software.amazon.awssdk.services.athena.model.QueryExecution;
import software.amazon.awssdk.services.athena.model.QueryExecutionState;
import software.amazon.awssdk.services.athena.model.Row;

/** Asks Athena as programs in Java do: nothing is set but the environment. Prints what it was told. */
public class Sdk {
  static final AthenaClient athena = AthenaClient.create();

  static QueryExecution run(String sql, String... parameters) throws InterruptedException {
    String id =
        athena
            .startQueryExecution(
                request -> {
                  request
                      .queryString(sql)
                      .queryExecutionContext(context -> context.database("silver"))
                      .resultConfiguration(to -> to.outputLocation("s3://java-results/out/"));
                  if (parameters.length > 0) request.executionParameters(parameters);
                })
            .queryExecutionId();
    while (true) {
      QueryExecution execution =
          athena.getQueryExecution(request -> request.queryExecutionId(id)).queryExecution();
      QueryExecutionState state = execution.status().state();
      if (state != QueryExecutionState.QUEUED && state != QueryExecutionState.RUNNING)
        return execution;
      Thread.sleep(50);
    }
  }

  static List<String> rows(String sql, String... parameters) throws InterruptedException {
    QueryExecution execution = run(sql, parameters);
    if (execution.status().state() != QueryExecutionState.SUCCEEDED)
      return List.of(
          execution.status().stateAsString(),
          execution.status().stateChangeReason().split("\n")[0],
          String.valueOf(execution.status().athenaError().errorCategory()));
    List<String> found = new ArrayList<>();
    athena
        .getQueryResultsPaginator(request -> request.queryExecutionId(execution.queryExecutionId()))
        .stream()
        .flatMap(page -> page.resultSet().rows().stream())
        .forEach(row -> found.add(text(row)));
    return found;
  }

  static String text(Row row) {
    return row.data().stream().map(cell -> cell.varCharValue()).collect(Collectors.joining("|"));
  }

  static void tell(String what, Object told) {
    System.out.println(what + ": " + told);
  }

  public static void main(String[] arguments) throws Exception {
    tell("first", rows("SELECT eventid, name, category FROM events ORDER BY 1 LIMIT 2"));
    tell("bound", rows("SELECT count(*) FROM sales WHERE eventid = ? AND buyer <> ?", "3", "'x'"));
    List<String> all = rows("SELECT salesid, price FROM sales ORDER BY 1");
    tell("pages", all.size() + " rows, the last " + all.get(all.size() - 1));
    tell("failed", rows("SELECT nothing FROM sales"));
    run("CREATE SCHEMA scratch");
    run("CREATE TABLE scratch.java (id int, word string) TBLPROPERTIES ('table_type' = 'ICEBERG')");
    QueryExecution inserted = run("INSERT INTO scratch.java VALUES (1, 'a'), (2, NULL)");
    tell(
        "inserted",
        inserted.statementTypeAsString()
            + " "
            + athena.getQueryResults(r -> r.queryExecutionId(inserted.queryExecutionId())).updateCount());
    tell("written", rows("SELECT * FROM scratch.java ORDER BY id"));
    tell(
        "databases",
        athena.listDatabasesPaginator(r -> r.catalogName("AwsDataCatalog")).stream()
            .flatMap(page -> page.databaseList().stream())
            .map(one -> one.name())
            .collect(Collectors.toList()));
    tell(
        "columns",
        athena
            .getTableMetadata(
                r -> r.catalogName("AwsDataCatalog").databaseName("silver").tableName("sales"))
            .tableMetadata()
            .columns()
            .stream()
            .map(one -> one.name() + " " + one.type())
            .collect(Collectors.toList()));
    tell("workgroup", athena.getWorkGroup(r -> r.workGroup("primary")).workGroup().stateAsString());
    try {
      athena.getQueryExecution(r -> r.queryExecutionId("00000000-0000-0000-0000-000000000000"));
    } catch (AthenaException error) {
      tell("unknown", error.getClass().getSimpleName() + " " + error.statusCode());
    }
  }
}
