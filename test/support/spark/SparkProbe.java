import java.util.ArrayList;
import java.util.Arrays;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** Reads through Spark's JDBC source for the conformance tests; Lines has the protocol. */
public final class SparkProbe {
  private final SparkSession spark =
      SparkSession.builder()
          .master("local[2]")
          .config("spark.ui.enabled", "false")
          .config("spark.driver.host", "127.0.0.1")
          .config("spark.driver.bindAddress", "127.0.0.1")
          .config("spark.sql.session.timeZone", "UTC")
          .config("spark.sql.shuffle.partitions", "2")
          .getOrCreate();

  public static void main(String[] args) throws Exception {
    java.util.TimeZone.setDefault(java.util.TimeZone.getTimeZone("UTC"));
    var probe = new SparkProbe();
    Lines.serve(probe::answer);
    probe.spark.stop();
    System.exit(0);
  }

  /** read option=value… with the steps `where:condition`, `select:a,b`, `sql:query over t` in between, in order. */
  private Object answer(String[] f) {
    var reader = spark.read().format("jdbc").option("driver", "org.apache.arrow.driver.jdbc.ArrowFlightJdbcDriver");
    var steps = new ArrayList<String>();
    for (String part : Arrays.copyOfRange(f, 1, f.length)) {
      if (part.matches("(where|select|sql):(?s).*")) steps.add(part);
      else reader = reader.option(part.substring(0, part.indexOf('=')), part.substring(part.indexOf('=') + 1));
    }
    Dataset<Row> data = reader.load();
    for (String step : steps) data = apply(data, step);
    var columns = new ArrayList<Object>();
    for (var field : data.schema().fields()) columns.add(Arrays.asList(field.name(), field.dataType().simpleString()));
    var rows = new ArrayList<Object>();
    for (Row row : data.collectAsList()) {
      var cells = new String[row.length()];
      for (int i = 0; i < cells.length; i++) cells[i] = row.get(i) == null ? null : String.valueOf(row.get(i));
      rows.add(Arrays.asList(cells));
    }
    var plan = data.queryExecution().executedPlan().toString();
    return Map.of("columns", columns, "rows", rows, "partitions", data.rdd().getNumPartitions(), "plan", plan);
  }

  private Dataset<Row> apply(Dataset<Row> data, String step) {
    String text = step.substring(step.indexOf(':') + 1);
    if (step.startsWith("where:")) return data.where(text);
    if (step.startsWith("select:")) return data.selectExpr(text.split(","));
    data.createOrReplaceTempView("t");
    return spark.sql(text);
  }
}
